"""What the status says of a pod that waits for accelerators."""

import pytest

from model_operator.domain.placement.capacity import Inventory, Node, Use
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble
from simulated_world import World, model_deployment

GPU = "nvidia.com/gpu"
SCHEDULER = "0/2 nodes are available: 2 Insufficient nvidia.com/gpu."


def waiting(count=2, reason="Unschedulable"):
    """A world in which the first pod waits for GPUs."""
    limits = {"limits": {GPU: count}}
    world = World(model_deployment(serving={"resources": limits}))
    world.settle()
    trouble = Trouble(reason, SCHEDULER)
    world.pods = (Pod("p", world.candidate(), "", False, False, trouble),)
    return world


def node(name, gpus=4, **labels):
    return Node(name, labels, (), {GPU: gpus})


def message(world):
    world.settle()
    return world.condition("Ready")["message"]


def test_full_nodes_are_told_in_numbers():
    world = waiting()
    world.inventory = Inventory(
        (node("n1"), node("n2")), (Use("n1", {GPU: 4}), Use("n2", {GPU: 4}))
    )

    assert message(world) == (
        "version 1 waits for 1 ready replica; needs 2 nvidia.com/gpu; "
        f"nodes that match have 0 free of 8 (pod p: {SCHEDULER})"
    )


def test_free_ones_on_different_nodes_are_not_enough():
    world = waiting()
    world.inventory = Inventory(
        (node("n1"), node("n2")), (Use("n1", {GPU: 3}), Use("n2", {GPU: 3}))
    )

    assert "nodes that match have 2 free of 8, no node 2 together" in message(world)


def test_an_accelerator_that_nobody_has_comes_with_those_there_are():
    world = waiting()
    world.inventory = Inventory((Node("n1", {}, (), {"google.com/tpu": 8}),), ())

    assert "no node of this cluster has any; there are: google.com/tpu" in message(world)


def test_nodes_that_the_pod_may_not_use_are_named():
    world = waiting()
    taint = {"key": "team", "value": "a", "effect": "NoSchedule"}
    world.inventory = Inventory((Node("n1", {}, (taint,), {GPU: 4}),), ())

    assert "no node that has any matches (labels, taints): n1" in message(world)


@pytest.mark.parametrize(
    "inventory",
    [
        pytest.param(None, id="nobody may look"),
        pytest.param(Inventory((node("n1"),), ()), id="accelerators are free, so it is not that"),
    ],
)
def test_else_the_schedulers_words_stand_alone(inventory):
    world = waiting()
    world.inventory = inventory

    assert message(world) == f"version 1 waits for 1 ready replica; pod p: {SCHEDULER}"


def test_the_cluster_is_looked_at_only_while_a_pod_waits_for_a_node():
    settled = World()
    settled.settle()

    assert waiting().plan().needs_inventory
    assert not waiting(reason="ImagePullFailed").plan().needs_inventory
    assert not settled.plan().needs_inventory


def test_while_it_waits_the_counts_are_refreshed():
    world = waiting()

    again_at = world.plan().again_at

    assert again_at is not None
    assert (again_at - world.now).total_seconds() == 30
