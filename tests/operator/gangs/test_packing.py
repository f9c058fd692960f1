"""Whether all pods of a group fit at once, and in which domain."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.domain.placement.capacity import Claim, Demand, Inventory, Node, Use
from model_operator.domain.placement.packing import Members, Room, room_for, settled, with_members
from model_operator.domain.placement.topology import Mode, Topology

GPU, RACK = "nvidia.com/gpu", "rack"


def node(name, gpus=4, rack=""):
    return Node(name, {RACK: rack} if rack else {}, (), {GPU: gpus} if gpus else {})


def demand(count=1, **selector):
    return Demand(GPU, count, selector, (), ())


def members(count=4, each=1, mode=None, group="own"):
    topology = Topology(RACK, mode) if mode else None
    return Members(group, count, demand(each), topology)


def inventory(*nodes, uses=(), claims=()):
    return Inventory(nodes, tuple(uses), tuple(claims))


def held(name, count, group=""):
    return Use(name, {GPU: count} if count else {}, group)


TWO_RACKS = (node("a1", 4, "a"), node("a2", 4, "a"), node("b1", 4, "b"), node("loose", 8))


@pytest.mark.parametrize(
    ("found", "each", "pods"),
    [
        pytest.param(inventory(node("n1"), node("n2", 2)), 1, 6, id="over nodes"),
        pytest.param(inventory(node("n1", 3), node("n2", 3)), 2, 2, id="what no pod can use"),
        pytest.param(inventory(node("n1"), uses=[held("n1", 3)]), 1, 1, id="beside what is held"),
        pytest.param(
            inventory(node("n1"), claims=[Claim(demand(3))]), 1, 1, id="beside what soon is"
        ),
        pytest.param(
            inventory(node("n1"), claims=[Claim(demand(8))]), 1, 4, id="a claim nobody can meet"
        ),
        pytest.param(
            inventory(node("n1"), claims=[Claim(demand(1, rack="z"))]), 1, 4, id="one elsewhere"
        ),
        pytest.param(
            inventory(node("n1"), claims=[Claim(demand(1))] * 2), 1, 2, id="claims add up"
        ),
        pytest.param(
            inventory(node("n1", 3), node("n2"), claims=[Claim(demand(3)), Claim(demand(4))]),
            1,
            0,
            id="claims are met, if they can be",
        ),
        pytest.param(
            inventory(node("n1"), node("n2", 2), claims=[Claim(demand(n)) for n in (2, 2, 4)]),
            1,
            0,
            id="the largest claims before others take their room",
        ),
        pytest.param(
            inventory(node("n1", 3), node("n2"), claims=[Claim(demand(3))]),
            2,
            2,
            id="each claim where it leaves least",
        ),
    ],
)
def test_members_find_room(found, each, pods):
    assert room_for(members(each=each), found) == Room(pods)


@pytest.mark.parametrize(
    ("mode", "count", "uses", "room"),
    [
        pytest.param(Mode.PACK, 4, [], Room(4, {RACK: "b"}), id="in the fullest that suffices"),
        pytest.param(Mode.PACK, 6, [], Room(8, {RACK: "a"}), id="in the only one that suffices"),
        pytest.param(Mode.PACK, 9, [], Room(8, {RACK: "a"}), id="nowhere, and in the next best"),
        pytest.param(
            Mode.PACK, 3, [held("a1", 1, "own")], Room(7, {RACK: "a"}), id="by the others' rack"
        ),
        pytest.param(
            Mode.PACK, 4, [held("b1", 0, "other")], Room(4, {RACK: "b"}), id="packed beside others"
        ),
        pytest.param(
            Mode.EXCLUSIVE, 4, [held("b1", 0, "other")], Room(8, {RACK: "a"}), id="without others"
        ),
        pytest.param(
            Mode.EXCLUSIVE, 4, [held("b1", 0)], Room(4, {RACK: "b"}), id="beside who is in no group"
        ),
        pytest.param(
            Mode.EXCLUSIVE,
            2,
            [held("a1", 1, "other"), held("b1", 1, "other")],
            Room(0),
            id="no domain without others",
        ),
        pytest.param(
            Mode.EXCLUSIVE, 3, [held("b1", 1, "own")], Room(3, {RACK: "b"}), id="with its own"
        ),
        pytest.param(Mode.SPREAD, 2, [], Room(2), id="one in each"),
        pytest.param(Mode.SPREAD, 2, [held("a1", 1, "own")], Room(1), id="none where one stands"),
        pytest.param(Mode.SPREAD, 2, [held("b1", 4)], Room(1), id="none where nothing is free"),
    ],
)
def test_members_keep_to_their_topology(mode, count, uses, room):
    assert room_for(members(count, mode=mode), inventory(*TWO_RACKS, uses=uses)) == room


def test_nodes_without_the_label_are_in_no_domain():
    assert room_for(members(mode=Mode.PACK), inventory(node("loose", 8))) == Room(0)


def test_a_group_that_was_let_in_takes_its_domain_before_it_has_nodes():
    first, second = members(mode=Mode.EXCLUSIVE), members(mode=Mode.EXCLUSIVE, group="second")
    before = inventory(*TWO_RACKS)

    after = with_members(before, first, room_for(first, before).selector)

    assert room_for(second, after) == Room(8, {RACK: "a"})


@st.composite
def clusters(draw):
    nodes = tuple(
        node(f"n{number}", draw(st.integers(0, 8)), draw(st.sampled_from(["", "a", "b"])))
        for number in range(draw(st.integers(0, 5)))
    )
    counts = st.integers(1, 4)
    claims = [Claim(demand(count), "g") for count in draw(st.lists(counts, max_size=4))]
    names = st.sampled_from([item.name for item in nodes] or ["gone"])
    uses = [held(draw(names), count) for count in draw(st.lists(counts, max_size=4))]
    return inventory(*nodes, uses=uses, claims=claims)


def overbooked(found):
    taken = {item.name: 0 for item in found.nodes}
    for use in found.uses:
        taken[use.node] = taken.get(use.node, 0) + use.accelerators[GPU]
    return {
        item.name: max(0, taken[item.name] - item.accelerators.get(GPU, 0)) for item in found.nodes
    }


@given(found=clusters(), count=st.integers(1, 6), each=st.integers(1, 3))
def test_members_that_fit_all_find_a_node_when_they_are_let_in(found, count, each):
    wanted = members(count, each)
    room = room_for(wanted, found)
    before, after = settled(found), settled(with_members(settled(found), wanted, room.selector))

    placed = [use for use in after.uses if use.group == "own"]

    assert (len(placed) == count) is (room.pods >= count)
    assert overbooked(after) == overbooked(before)


@given(found=clusters(), mode=st.sampled_from([Mode.PACK, Mode.EXCLUSIVE]))
def test_members_that_stand_together_fit_in_the_domain_that_they_are_told(found, mode):
    wanted = members(2, mode=mode)
    room = room_for(wanted, found)
    alone = replace(
        found, nodes=tuple(n for n in found.nodes if n.labels.items() >= room.selector.items())
    )

    if room.pods >= 2:
        after = settled(with_members(settled(found), wanted, room.selector))
        standing = {use.node for use in after.uses if use.group == "own"}
        assert standing and standing <= {item.name for item in alone.nodes}
