"""Steps where accelerators are short: the stable revision makes room by one replica at a time."""

import pytest

from accelerator_world import AcceleratorWorld


def served(slots, replicas, steps=(50,), capacity="Auto", **more):
    """A node with so many GPUs, on which version 1 serves."""
    node = AcceleratorWorld(slots, replicas, capacity, steps=steps, **more)
    node.live(4)
    assert node.world.condition("Ready")["status"] == "True"
    return node


def changed(node, passes):
    """What was seen of version 2 on its way: replicas and weights of both, pass by pass."""
    old = node.world.stable()
    node.world.edit(model={"version": 2})
    seen = []
    for _ in range(passes):
        node.live(1)
        weights = node.world.weights()
        assert all(node.ready(name) for name, weight in weights.items() if weight)
        seen.append((len(node.ready(old)), weights.get(old, 0)))
    return seen


@pytest.mark.parametrize(
    ("slots", "replicas", "steps"),
    [
        pytest.param(2, 2, (50,), id="two of two"),
        pytest.param(4, 4, (25, 50), id="four of four"),
        pytest.param(5, 4, (25, 50), id="one free"),
        pytest.param(3, 3, (1,), id="a small step"),
    ],
)
@pytest.mark.parametrize("shows_nodes", [True, False])
def test_a_rollout_ends_where_nothing_is_free(slots, replicas, steps, shows_nodes):
    node = served(slots, replicas, steps, shows_nodes=shows_nodes)

    seen = changed(node, 30)

    assert node.world.body["status"]["stable"]["version"] == 2
    assert node.world.condition("Ready")["status"] == "True"
    # As long as it is to answer anything, it can.
    assert all(ready > 0 for ready, weight in seen if weight)


def test_no_more_is_given_up_than_the_step_needs():
    node = served(4, 4, (25,))
    node.world.body["spec"]["rollout"]["steps"][0]["pause"] = True

    seen = changed(node, 20)

    assert seen[-1] == (3, 75)
    assert node.world.body["status"]["candidate"]["given"] == 1


@pytest.mark.parametrize(
    ("slots", "capacity"),
    [
        pytest.param(8, "Auto", id="there is room"),
        pytest.param(4, "SurgeFirst", id="the user wants all to stay"),
    ],
)
def test_nothing_is_given_up(slots, capacity):
    node = served(slots, 4, capacity=capacity)

    seen = changed(node, 10)

    assert all(ready == 4 for ready, weight in seen if weight)


def test_the_last_replica_is_not_given_up_and_the_wait_ends_at_the_deadline():
    node = served(1, 1)

    seen = changed(node, 30)

    assert set(seen) == {(1, 100)}
    stalled = node.world.condition("Stalled")
    assert stalled["reason"] == "ProgressDeadlineExceeded"
    assert "nodes that match have 0 free of 1" in stalled["message"]


def test_all_replicas_come_back_when_the_candidate_is_turned_away():
    node = served(2, 2)
    old = node.world.stable()
    node.world.edit(model={"version": 2})
    node.run_pass()
    node.broken = {node.world.candidate()}
    node.live(30)

    assert node.world.condition("Stalled")["reason"] == "ProgressDeadlineExceeded"
    assert node.world.weights()[old] == 100
    assert len(node.ready(old)) == 2


def test_a_user_scales_what_has_given_up_replicas():
    node = served(4, 3, (34,))
    node.world.body["spec"]["rollout"]["steps"][0]["pause"] = True
    changed(node, 10)
    old = node.world.stable()
    node.slots = 8
    node.world.edit(replicas=6)
    node.live(10)

    assert len(node.ready(old)) == 6 - node.world.body["status"]["candidate"].get("given", 0)
