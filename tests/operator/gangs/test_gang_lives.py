"""What passes do over the life of groups whose members wait for accelerators together."""

from dataclasses import replace
from datetime import timedelta

import pytest

from group_world import divided, groups, member, ready, served
from model_operator.domain.placement.capacity import Inventory, Node, Use
from model_operator.domain.seen.gangs import STRANDED_AFTER
from model_operator.domain.seen.gates import Gate
from model_operator.domain.seen.troubles import Trouble
from model_operator.plan.groups.release import releases_of

GPU = "nvidia.com/gpu"
GATED = Trouble("Unschedulable", "Scheduling is blocked due to non-empty scheduling gates")
REFUSED = Trouble("Unschedulable", f"0/1 nodes are available: 1 Insufficient {GPU}.")


def nodes(free, **labels):
    return Inventory((Node("n", labels, (), {GPU: 8}),), (Use("n", {GPU: 8 - free}),))


def waits(world, group, number, trouble=GATED, opened=None):
    gate = Gate(group, world.now, opened, {})
    return member(world, group, number, trouble=trouble, gate=gate, node="", is_running=False)


def placed(world, group, number, opened):
    return replace(waits(world, group, number, None, opened), node="n", is_running=True)


def gated(free=None, replicas=1, **given):
    """A world with groups of three that wait at their gates."""
    world = divided(shards=3, replicas=replicas, accelerator={"resource": GPU}, **given)
    world.settle()
    world.pods = tuple(waits(world, name, n) for name in groups(world) for n in range(3))
    world.inventory = None if free is None else nodes(free)
    return world


def let_in(world):
    found = releases_of(world.plan().gated, world.inventory, world.now)
    return [release.pods[0].group for release in found]


def test_a_group_that_waits_asks_for_what_is_free_and_soon_again():
    plan = gated().plan()

    assert plan.needs_inventory
    assert plan.again_at == gated().now + timedelta(seconds=5)


def test_only_whole_groups_are_let_in_the_first_first():
    world = gated(free=7, replicas=3)

    assert let_in(world) == groups(world)[:2]


def test_a_suspended_object_lets_nobody_in():
    world = gated(free=8)
    world.edit(suspend=True)

    assert world.plan().gated == ()


def test_a_member_of_what_serves_comes_before_the_candidate():
    world = served(shards=3, replicas=1, accelerator={"resource": GPU})
    [serving] = groups(world)
    world.edit(model={"version": 2})
    world.settle()
    [candidate] = set(groups(world)) - {serving}
    lost = [placed(world, serving, n, world.now - timedelta(hours=1)) for n in range(2)]
    world.pods = (*lost, waits(world, serving, 2), *(waits(world, candidate, n) for n in range(3)))
    world.inventory = nodes(3)

    assert let_in(world) == [serving]


@pytest.mark.parametrize(
    ("topology", "free", "words"),
    [
        pytest.param(
            None,
            2,
            "group 0 takes no node until 3 members have room at once; "
            "each needs 1 nvidia.com/gpu; nodes that match have 2 free of 8, room for 2",
            id="too few",
        ),
        pytest.param(
            "Pack",
            2,
            "until 3 members have room at once in one rack; each needs 1 nvidia.com/gpu; "
            "nodes that match have 2 free of 8, room for 2 in rack a",
            id="too few in any domain",
        ),
        pytest.param("Exclusive", 2, "at once in one rack without other groups;", id="alone"),
        pytest.param("Spread", 8, "at once each in another rack; ", id="too few domains"),
        pytest.param(None, 8, "nodes that match have 8 free of 8", id="about to be let in"),
    ],
)
def test_the_status_says_what_a_group_waits_for(topology, free, words):
    world = gated(free)
    if topology:
        world.edit(sharding={"shards": 3, "topology": {"key": "rack", "mode": topology}})
        world.settle()
        name = groups(world)[-1]
        world.pods = tuple(waits(world, name, number) for number in range(3))
        world.inventory = nodes(free, rack="a")

    world.step()

    ready_ = world.condition("Ready")
    assert ready_["reason"] == "Unschedulable"
    assert words in ready_["message"]


def test_without_a_look_at_nodes_the_status_says_that_it_waits():
    world = gated()

    world.step()

    assert world.condition("Ready")["message"].endswith(
        "group 0 takes no node until 3 members have room at once; each needs 1 nvidia.com/gpu"
    )


def stranded():
    """A world whose only group was let in, and nodes took two of its three members."""
    world = gated(free=0)
    [name] = groups(world)
    then = world.now
    on = [placed(world, name, number, then) for number in range(2)]
    world.pods = (*on, waits(world, name, 2, REFUSED, then))
    return world


def test_a_group_that_got_nodes_for_some_members_gives_them_back_in_time():
    world = stranded()
    before = groups(world)
    world.settle()
    assert groups(world) == before
    assert world.plan().again_at <= world.now + STRANDED_AFTER

    world.wait(seconds=STRANDED_AFTER.total_seconds())
    plan = world.step()

    assert groups(world) == [f"{before[0][:-1]}1"]
    [said] = [item for item in plan.announcements if item.reason == "GroupTakenBack"]
    assert said.is_warning
    assert "group 0: only 2 of 3 members got nodes within 120 s" in said.message
    assert f"(member 2: {REFUSED.message})" in said.message


def test_it_is_told_once():
    world = stranded()
    world.wait(seconds=STRANDED_AFTER.total_seconds())
    world.step()

    assert [item.reason for item in world.step().announcements] == []


def test_full_nodes_give_way_group_by_group_for_a_candidate_that_waits_at_its_gates():
    world = served(shards=3, replicas=2, accelerator={"resource": GPU})
    old = groups(world)
    on = [placed(world, name, n, world.now) for name in old for n in range(3)]
    world.pods = tuple(replace(pod, is_ready=True) for pod in on)
    world.edit(model={"version": 2})
    world.settle()
    new = sorted(set(groups(world)) - set(old))
    world.pods += tuple(waits(world, name, n) for name in new for n in range(3))
    world.inventory = nodes(2)

    world.step()
    world.step()

    kept = [name for name in groups(world) if name in old]
    assert len(kept) == 1
    assert len(new) == 2
    ready(world, kept[0])
    world.inventory = nodes(5)
    assert let_in(world) == new[:1]
