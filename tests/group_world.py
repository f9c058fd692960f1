"""A simulated world in which each copy of the model is a group of pods that hold it together."""

from dataclasses import replace

from model_operator.domain import names
from model_operator.domain.manifests import ObjectKey, label_of
from model_operator.domain.seen.observed import Routing
from model_operator.domain.seen.pods import Pod
from simulated_world import World, model_deployment

MEMBER = Pod(name="", revision="", ip="", is_running=True, is_ready=False, trouble=None, node="n")


def divided(shards=2, replicas=2, recovery="Member", **spec):
    """A world with a ModelDeployment that was just made."""
    sharding = {"shards": shards, "recovery": recovery}
    return World(model_deployment(sharding=sharding, replicas=replicas, **spec))


def groups(world, revision=None):
    """The names of groups, of one revision or of all."""
    found = [item for key, item in world.children.items() if key.kind == "StatefulSet"]
    return sorted(
        item["metadata"]["name"]
        for item in found
        if revision in (None, label_of(item, names.REVISION_LABEL))
    )


def ready(world, name, members=None):
    """So many members of a group are ready; by default all."""
    found = world.children[ObjectKey("StatefulSet", name)]
    shards = found["spec"]["replicas"]
    members = shards if members is None else members
    found["status"] = {"readyReplicas": members, "updatedReplicas": shards}


def live(world, *broken):
    """Passes until all is at rest; every group that is not of a broken revision gets whole."""
    for _ in range(12):
        world.step()
        for name in groups(world):
            if not any(name in groups(world, revision) for revision in broken):
                ready(world, name)
    world.settle()


def served(**given):
    """A world in which all groups of version 1 serve."""
    routing: Routing | None = given.pop("routing", None)
    world = divided(**given)
    world.routing = routing
    live(world)
    assert world.condition("Ready")["status"] == "True"
    return world


def member(world, group, number, **known):
    """One of a group's pods."""
    found = world.children[ObjectKey("StatefulSet", group)]
    revision = label_of(found, names.REVISION_LABEL)
    return replace(MEMBER, name=f"{group}-{number}", revision=revision, group=group, **known)
