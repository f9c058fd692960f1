"""Which groups leave their gates, and when a release is taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.domain.placement.capacity import Claim, Inventory, Node, demand_of
from model_operator.domain.placement.packing import settled
from model_operator.domain.placement.topology import Mode, Topology, annotations_of
from model_operator.domain.seen.gangs import STRANDED_AFTER, Release, is_stranded, stranded_at
from model_operator.domain.seen.gates import Gate
from model_operator.domain.seen.pods import Pod, pod_of
from model_operator.domain.seen.workloads import Group
from model_operator.domain.wish.revision import Revision
from model_operator.plan.groups.release import releases_of

GPU = "nvidia.com/gpu"
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(seconds=30)


def revision(topology=None):
    container = {"name": "server", "resources": {"limits": {GPU: "1"}}}
    annotations = annotations_of(topology) if topology else {}
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": [container]}}
    return Revision("r", 1, {"model": {"version": 1}}, template)


def pod(name, opened=None, made=BEFORE, node="", **more):
    gate = Gate(name.rpartition("-")[0], made, opened, more.pop("selector", {}))
    return Pod(name, "r", "", False, False, None, node=node, uid=f"u-{name}", gate=gate, **more)


def group(*pods, shards=None, name="r-0"):
    return Group(name, shards or len(pods), 0, True, pods)


def gated(count, name="r-0"):
    return group(*(pod(f"{name}-{number}") for number in range(count)), name=name)


def node(gpus, name="n", **labels):
    return Node(name, labels, (), {GPU: gpus})


def released(*groups, free=8, **more):
    inventory = Inventory((node(free),), (), **more)
    found = releases_of([(item, revision()) for item in groups], inventory, NOW)
    return [[member.name for member in release.pods] for release in found]


def test_a_group_that_fits_is_let_in_whole():
    assert released(gated(3), free=3) == [["r-0-0", "r-0-1", "r-0-2"]]


def test_of_a_group_that_does_not_fit_no_member_is_let_in():
    assert released(gated(4), free=3) == []


def test_of_two_groups_one_is_let_in_and_the_other_waits():
    assert released(gated(4), gated(4, "r-1"), free=7) == [["r-0-0", "r-0-1", "r-0-2", "r-0-3"]]


def test_a_smaller_group_does_not_wait_behind_a_larger_one():
    assert released(gated(4), gated(2, "r-1"), free=3) == [["r-1-0", "r-1-1"]]


def test_what_others_are_about_to_take_is_not_free():
    claim = Claim(demand_of(revision().template))

    assert released(gated(2), free=2, claims=(claim,)) == []


def test_a_group_waits_until_all_its_members_are_made():
    assert released(group(pod("r-0-0"), pod("r-0-1"), shards=3)) == []


def test_a_member_on_its_way_out_is_not_there():
    assert released(group(pod("r-0-0"), pod("r-0-1", is_terminating=True), shards=2)) == []


def test_members_without_gates_need_nothing():
    assert released(group(pod("r-0-0", opened=BEFORE), pod("r-0-1", opened=BEFORE))) == []


def test_members_that_were_lost_come_back_together():
    stays = [pod("r-0-0", opened=BEFORE, node="n")]
    lost = [pod("r-0-1", made=NOW), pod("r-0-2", made=NOW)]

    assert released(group(*stays, *lost), free=1) == []
    assert released(group(*stays, *lost), free=2) == [["r-0-1", "r-0-2"]]


def test_a_release_that_was_begun_goes_on_whatever_is_free():
    half = group(pod("r-0-0", opened=NOW), pod("r-0-1"))

    (release,) = releases_of([(half, revision())], Inventory((node(0),), ()), NOW)

    assert [member.name for member in release.pods] == ["r-0-1"]
    assert release.opened == NOW


def test_a_group_that_is_made_and_let_in_within_one_second_is_one_release():
    half = group(pod("r-0-0", opened=NOW), pod("r-0-1", made=NOW))

    assert len(releases_of([(half, revision())], Inventory((node(0),), ()), NOW)) == 1


def test_it_goes_on_in_the_domain_where_it_began():
    packed = revision(Topology("rack", Mode.PACK))
    half = group(pod("r-0-0", opened=NOW, selector={"rack": "b", "pool": "x"}), pod("r-0-1"))
    inventory = Inventory((node(8, "n1", rack="a"), node(8, "n2", rack="b")), ())

    (release,) = releases_of([(half, packed)], inventory, NOW)

    assert release.selector == {"rack": "b"}


def test_members_are_told_the_domain_in_which_all_of_them_have_room():
    packed = revision(Topology("rack", Mode.PACK))
    inventory = Inventory((node(3, "n1", rack="a"), node(4, "n2", rack="b")), ())

    assert releases_of([(gated(4), packed)], inventory, NOW) == (
        Release(gated(4).pods, NOW, {"rack": "b"}),
    )


def test_a_clock_that_goes_after_the_api_servers_dates_no_release_before_its_pods():
    later = NOW + timedelta(seconds=9)
    behind = group(pod("r-0-0"), pod("r-0-1", made=later))

    (release,) = releases_of([(behind, revision())], Inventory((node(2),), ()), NOW)

    assert release.opened == later


def test_where_nodes_may_not_be_listed_nobody_waits():
    assert releases_of([(gated(4), revision())], None, NOW) == (Release(gated(4).pods, NOW),)


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    gpus=st.lists(st.integers(0, 5), max_size=4),
)
def test_every_group_gets_all_its_nodes_or_takes_none(sizes, gpus):
    groups = [gated(size, f"r-{number}") for number, size in enumerate(sizes)]
    nodes = tuple(node(count, f"n{number}") for number, count in enumerate(gpus))
    inventory = Inventory(nodes, ())

    found = releases_of([(item, revision()) for item in groups], inventory, NOW)

    let_in = {release.pods[0].gate.key: len(release.pods) for release in found}
    claims = tuple(
        Claim(demand_of(revision().template), key)
        for key, count in let_in.items()
        for _ in range(count)
    )
    uses = settled(replace(inventory, claims=claims)).uses
    for item in groups:
        assert let_in.get(item.name, 0) in {0, item.shards}
        assert sum(use.group == item.name for use in uses) == let_in.get(item.name, 0)


@pytest.mark.parametrize(
    ("pods", "stranded"),
    [
        pytest.param(
            [pod("r-0-0", opened=BEFORE, node="n"), pod("r-0-1", opened=BEFORE)],
            True,
            id="some have nodes",
        ),
        pytest.param(
            [pod("r-0-0", opened=BEFORE, node="n"), pod("r-0-1", opened=BEFORE, node="n")],
            False,
            id="all have nodes",
        ),
        pytest.param(
            [pod("r-0-0", opened=BEFORE), pod("r-0-1", opened=BEFORE)],
            False,
            id="none has, and so they hold nothing",
        ),
        pytest.param(
            [pod("r-0-0", opened=BEFORE, node="n"), pod("r-0-1", opened=NOW)],
            False,
            id="one came later, and the other holds what it has loaded",
        ),
        pytest.param(
            [pod("r-0-0", opened=BEFORE, node="n"), pod("r-0-1")], False, id="one still waits"
        ),
        pytest.param([replace(pod("r-0-0", node="n"), gate=None)], False, id="nobody had a gate"),
    ],
)
def test_a_release_that_leaves_members_without_nodes_is_taken_back(pods, stranded):
    stuck = group(*pods)

    assert (stranded_at(stuck) == BEFORE + STRANDED_AFTER) is stranded
    assert is_stranded(stuck, BEFORE + STRANDED_AFTER) is stranded
    assert not is_stranded(stuck, BEFORE + STRANDED_AFTER - timedelta(seconds=1))


@pytest.mark.parametrize(
    ("annotation", "gates", "opened"),
    [
        pytest.param(None, ["modelfleet.dev/gang"], None, id="closed"),
        pytest.param("2030-01-01T12:00:00Z", [], NOW, id="open"),
        pytest.param("2030-01-01T12:00:00Z", ["kueue.x-k8s.io/x"], NOW, id="open beside another"),
        pytest.param("yesterday", [], BEFORE, id="open since it was made, for want of better"),
    ],
)
def test_a_pods_gate(annotation, gates, opened):
    annotations = {"modelfleet.dev/gate-opened": annotation} if annotation else {}
    labels = {"modelfleet.dev/group-key": "k"}
    metadata = {"name": "p", "uid": "u", "creationTimestamp": "2030-01-01T11:59:30Z"}
    spec = {"schedulingGates": [{"name": gate} for gate in gates], "nodeSelector": {"rack": "a"}}

    found = pod_of(
        {"metadata": metadata | {"labels": labels, "annotations": annotations}, "spec": spec}
    )

    assert found.gate == Gate("k", BEFORE, opened, {"rack": "a"})


def test_a_pod_that_never_had_a_gate():
    metadata = {"name": "p", "uid": "u", "creationTimestamp": "2030-01-01T11:59:30Z"}

    assert pod_of({"metadata": metadata, "spec": {}}).gate is None
