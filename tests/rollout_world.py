"""A simulated world in which revisions change by steps of weight."""

from model_operator.domain.routing.traffic import Ports
from model_operator.domain.seen.observed import Routing
from simulated_world import World, model_deployment

STEPS = [{"weight": 10, "holdSeconds": 60}, {"weight": 50, "holdSeconds": 60}]
PORTS = Ports(20000, 20001)


def served(replicas=4, **rollout):
    """A world with a router, in which version 1 serves and later ones go by steps."""
    world = World(model_deployment(replicas=replicas, rollout={"steps": STEPS} | rollout))
    world.routing = Routing(PORTS)
    live(world)
    assert world.condition("Ready")["status"] == "True"
    return world


def live(world, *broken):
    """Passes until all is at rest at this moment; every pod that is not broken gets ready."""
    for _ in range(12):
        world.step()
        for name in world.deployments():
            replicas = world.workload(name)["spec"]["replicas"]
            world.make_ready(name, 0 if name in broken else replicas)
    world.settle()


def pass_time(world, **duration):
    world.wait(**duration)
    live(world)


def replicas(world, name):
    return world.workload(name)["spec"]["replicas"]


def change(world, version=2):
    """The old and the new revision, after an edit of the version."""
    old = world.stable()
    world.edit(model={"version": version})
    live(world)
    return old, world.candidate()


def promoted():
    """A world in which version 2 has just been promoted; the former revision is warm."""
    world = served()
    old, new = change(world)
    world.annotate(promote=new)
    live(world)
    return world, old, new
