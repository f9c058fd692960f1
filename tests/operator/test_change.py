"""How replicas go from an old revision to a new one, with much room, little or none."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from accelerator_world import GPU, NODE, AcceleratorWorld
from model_operator.domain.placement.capacity import Inventory, Node, Use
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble
from model_operator.domain.wish.rollout import Strategy
from model_operator.plan.rollout.change import Change, Phase, Pods, Room, Step, advance, enough
from model_operator.plan.rollout.course import pods_of

NONE = Pods(0, 0, 0)
FULL = Room(is_short=True)
AUTO, SURGE, DRAIN = Strategy.AUTO, Strategy.SURGE_FIRST, Strategy.DRAIN_FIRST


def pods(asked, placed=None, ready=None):
    placed = asked if placed is None else placed
    return Pods(asked, placed, placed if ready is None else ready)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        pytest.param(
            Change(SURGE, 3, pods(3), NONE), Step(3, 3, Phase.SURGING), id="all beside all"
        ),
        pytest.param(
            Change(SURGE, 3, pods(3), pods(3, 0), FULL),
            Step(3, 3, Phase.SURGING),
            id="SurgeFirst gives nothing up",
        ),
        pytest.param(Change(AUTO, 3, pods(3), NONE), Step(3, 3, Phase.SURGING), id="Auto begins"),
        pytest.param(
            Change(AUTO, 3, pods(3), pods(3, 1), FULL),
            Step(2, 3, Phase.DRAINING),
            id="a full node: one is given up",
        ),
        pytest.param(
            Change(AUTO, 3, pods(2), pods(3, 1), Room(is_short=True, is_clearing=True)),
            Step(2, 3, Phase.DRAINING),
            id="what was given up is not free yet",
        ),
        pytest.param(
            Change(AUTO, 3, pods(2), pods(3, 2, 1), FULL),
            Step(2, 3, Phase.DRAINING),
            id="what has room is not ready yet",
        ),
        pytest.param(
            Change(AUTO, 3, pods(1), pods(3, 0), FULL),
            Step(1, 3, Phase.WAITING),
            id="the last one stays",
        ),
        pytest.param(
            Change(AUTO, 1, pods(1, ready=0), pods(1, 0), FULL, is_dead=True),
            Step(0, 1, Phase.DRAINING),
            id="a dead one makes room",
        ),
        pytest.param(
            Change(AUTO, 3, pods(2), pods(3, 3, 1)),
            Step(3, 3, Phase.SURGING),
            id="room for all after all",
        ),
        pytest.param(
            Change(DRAIN, 3, pods(3), NONE), Step(2, 1, Phase.DRAINING), id="one for another"
        ),
        pytest.param(
            Change(DRAIN, 3, pods(2), pods(1, ready=0)),
            Step(2, 1, Phase.DRAINING),
            id="the next when this one is ready",
        ),
        pytest.param(
            Change(DRAIN, 3, pods(2), pods(1)), Step(1, 2, Phase.DRAINING), id="this one is ready"
        ),
        pytest.param(
            Change(DRAIN, 3, pods(2), NONE),
            Step(2, 1, Phase.DRAINING),
            id="the new workload was deleted by hand",
        ),
        pytest.param(
            Change(DRAIN, 1, pods(1), pods(1, 0), FULL),
            Step(1, 1, Phase.WAITING),
            id="DrainFirst has nothing to give up either",
        ),
        pytest.param(
            Change(DRAIN, 2, pods(1), pods(1, 0), is_over=True),
            Step(2, 0, Phase.GIVEN_UP),
            id="given up",
        ),
    ],
)
def test_the_next_step(change, step):
    assert advance(change) == step


@pytest.mark.parametrize(
    ("strategy", "old", "count"),
    [
        pytest.param(SURGE, pods(4), 4, id="all of them"),
        pytest.param(SURGE, pods(2), 4, id="SurgeFirst, whatever the old one has"),
        pytest.param(AUTO, pods(4), 4, id="nothing was given up"),
        pytest.param(AUTO, pods(2), 2, id="as many as are left"),
        pytest.param(DRAIN, pods(3, ready=2), 2, id="as many as are left and ready"),
        pytest.param(DRAIN, pods(1, ready=0), 1, id="at least one"),
    ],
)
def test_with_how_many_the_new_revision_gets_the_traffic(strategy, old, count):
    assert enough(strategy, 4, old) == count


COUNTS = st.integers(0, 3)
SOME_PODS = st.builds(
    lambda asked, placed, ready: Pods(asked, min(asked, placed), min(asked, placed, ready)),
    COUNTS,
    COUNTS,
    COUNTS,
)
CHANGES = st.builds(
    Change,
    st.sampled_from(Strategy),
    st.integers(1, 3),
    SOME_PODS,
    SOME_PODS,
    st.builds(Room, st.booleans(), st.booleans()),
    st.booleans(),
    st.booleans(),
)


@given(CHANGES)
@settings(max_examples=1000)
def test_no_step_takes_the_last_ready_replica(change):
    assume(not (change.is_dead and change.old.ready))
    step = advance(change)

    assert 0 <= step.old <= change.replicas
    assert 0 <= step.new <= change.replicas
    if change.old.ready:
        assert step.old >= 1


@given(CHANGES)
def test_drain_first_never_asks_for_more_than_are_wanted_together(change):
    assume(change.strategy is DRAIN and change.replicas > 1)

    step = advance(change)

    assert step.old + step.new == change.replicas


def served(slots, replicas, capacity, **more):
    """A world in which version 1 serves."""
    life = AcceleratorWorld(slots, replicas, capacity, **more)
    life.live(4)
    assert life.world.condition("Ready")["status"] == "True"
    return life


def replay(life, passes=40):
    """A change of version until nothing changes any more: what answered at each moment."""
    old = life.world.stable()
    life.world.edit(model={"version": 2})
    answering = []
    for _ in range(passes):
        life.live(1)
        answering.append(len(life.ready(life.world.routed())))
    return old, answering


@pytest.mark.parametrize(
    ("life", "fewest"),
    [
        pytest.param((8, 4, "SurgeFirst"), 4, id="SurgeFirst with room for all"),
        pytest.param((8, 4, "Auto"), 4, id="Auto with room for all"),
        pytest.param((4, 4, "Auto"), 2, id="Auto on a full node"),
        pytest.param((5, 4, "Auto"), 2, id="Auto with room for one more"),
        pytest.param((2, 1, "Auto"), 1, id="one replica with room for another"),
        pytest.param((4, 4, "DrainFirst"), 2, id="DrainFirst on a full node"),
        pytest.param((8, 3, "DrainFirst"), 1, id="DrainFirst with three replicas"),
        pytest.param((2, 2, "DrainFirst"), 1, id="DrainFirst with two replicas"),
    ],
)
def test_a_change_ends_with_the_new_revision_and_some_replicas_answer_all_the_time(life, fewest):
    life = served(*life)

    old, answering = replay(life)

    assert life.world.condition("Ready")["status"] == "True"
    assert life.world.stable() != old
    assert min(answering) >= fewest
    assert life.world.deployments() == [life.world.stable()]


@pytest.mark.parametrize("capacity", ["SurgeFirst", "Auto", "DrainFirst"])
@pytest.mark.parametrize("shows_nodes", [True, False])
def test_one_replica_on_a_full_node_waits_and_is_given_up_at_the_deadline(capacity, shows_nodes):
    life = served(1, 1, capacity, shows_nodes=shows_nodes)
    life.world.edit(model={"version": 2})
    life.live(5)
    waiting = life.world.body["status"]

    life.live(20)

    assert "given up if not by 2026-01-01T12:" in waiting["next"]
    assert life.world.condition("Stalled")["reason"] == "ProgressDeadlineExceeded"
    assert "Insufficient nvidia.com/gpu" in life.world.condition("Stalled")["message"]
    assert life.world.condition("Available")["status"] == "True"
    assert life.world.deployments() == [life.world.stable()]


@pytest.mark.parametrize("shows_nodes", [True, False])
def test_no_more_is_given_up_before_the_scheduler_has_used_what_was(shows_nodes):
    life = served(4, 4, "Auto", shows_nodes=shows_nodes)
    old = life.world.stable()
    life.world.edit(model={"version": 2})
    life.run_pass()
    life.schedule()

    asked = []
    for _ in range(3):
        life.run_pass()
        asked.append(life.world.workload(old)["spec"]["replicas"])
        life.leave()

    assert asked == [3, 3, 3]


def test_a_pod_that_never_goes_from_a_lost_node_holds_up_nothing_for_ever():
    life = served(3, 3, "Auto")
    old = life.world.stable()
    life.world.edit(model={"version": 2})
    life.run_pass()
    life.schedule()
    life.run_pass()  # one is given up, and does not go
    life.world.wait(seconds=59)
    life.run_pass()
    waited = life.world.workload(old)["spec"]["replicas"]
    life.world.wait(seconds=1)

    life.run_pass()

    assert waited == 2
    assert life.world.workload(old)["spec"]["replicas"] == 1


def test_a_change_that_is_given_up_halfway_brings_the_old_replicas_back():
    life = served(4, 4, "DrainFirst")
    life.world.edit(model={"version": 2})
    life.live(1)
    life.others = 1  # somebody else takes what was given up
    life.show()

    life.live(30)

    old = life.world.stable()
    assert life.world.body["spec"]["replicas"] == 4
    assert life.world.workload(old)["spec"]["replicas"] == 4
    assert len(life.ready(old)) == 3


def test_a_dead_revision_does_not_block_its_successor_on_a_full_node():
    life = served(1, 1, "Auto")
    life.world.edit(model={"version": 2})
    life.broken = {life.world.stable()}

    life.live(30)

    assert life.world.condition("Ready")["status"] == "True"
    assert life.world.body["status"]["stable"]["version"] == 2


def test_auto_says_what_it_waits_for_and_what_it_does_not_give_up():
    life = served(1, 1, "Auto")
    old = life.world.stable()
    life.world.edit(model={"version": 2})
    life.live(3)

    assert f"{old} keeps its last ready replica" in life.world.body["status"]["next"]
    message = life.world.condition("Ready")["message"]
    assert "needs 1 nvidia.com/gpu; nodes that match have 0 free of 1" in message


def test_pods_without_accelerators_are_never_given_up_by_auto():
    life = served(4, 4, "Auto")
    old = life.world.stable()
    life.world.edit(model={"version": 2}, serving={})

    life.run_pass()

    assert life.world.workload(old)["spec"]["replicas"] == 4


MIG = "nvidia.com/mig-1g.5gb"


@pytest.mark.parametrize(
    ("edit", "resource", "nodes", "uses"),
    [
        pytest.param(
            {"serving": {"resources": {"limits": {MIG: 1}}}},
            MIG,
            (Node(NODE, {}, (), {GPU: 2, MIG: 1}),),
            (Use(NODE, {GPU: 2, MIG: 1}),),
            id="another resource",
        ),
        pytest.param(
            {"scheduling": {"nodeSelector": {"pool": "new"}}},
            GPU,
            (Node(NODE, {}, (), {GPU: 2}), Node("gpu-2", {"pool": "new"}, (), {GPU: 1})),
            (Use(NODE, {GPU: 2}), Use("gpu-2", {GPU: 1})),
            id="other nodes",
        ),
    ],
)
def test_pods_that_hold_nothing_the_new_ones_could_use_are_not_given_up(
    edit, resource, nodes, uses
):
    life = served(2, 2, "Auto")
    old = life.world.stable()
    life.world.edit(model={"version": 2}, **edit)
    life.run_pass()
    full = Trouble("Unschedulable", f"0/2 nodes are available: 1 Insufficient {resource}.")
    waits = Pod("p", life.world.candidate(), "", False, False, full)
    life.world.pods = (*(pod.seen() for pod in life.of(old)), waits)
    life.world.inventory = Inventory(nodes, uses)

    life.world.step()

    assert life.world.workload(old)["spec"]["replicas"] == 2


def test_what_waits_for_anything_but_accelerators_takes_none_from_others():
    life = served(2, 2, "Auto")
    old = life.world.stable()
    life.world.edit(model={"version": 2})
    life.run_pass()
    full = Trouble("Unschedulable", "0/1 nodes are available: 1 Insufficient memory.")
    waits = Pod("p", life.world.candidate(), "", False, False, full)
    life.world.pods = (*(pod.seen() for pod in life.of(old)), waits)

    life.world.step()

    assert life.world.workload(old)["spec"]["replicas"] == 2


def test_a_pod_that_a_deployment_counts_as_ready_has_a_node_before_it_is_seen(serving):
    assert serving.pods == ()
    assert pods_of(serving.observe(), serving.stable()) == Pods(asked=1, placed=1, ready=1)
