"""That each copy of a model is a group of pods which hold it together."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.fields import whole
from model_operator.domain.manifests import Manifest
from model_operator.domain.placement.topology import Topology, parse_topology
from model_operator.domain.placement.tpu import Slice
from model_operator.domain.wish.model import Model

_PATH = "spec.sharding"
# All their addresses are one argument of each pod's server, which Linux lets have 128 KiB.
_MOST_SHARDS = 512
_DIVISIBLE = frozenset({None, "tensorflow"})


class Recovery(StrEnum):
    """What becomes of a group that loses a member.

    MEMBER: it comes back alone, and the others keep what they hold. WHOLE_GROUP: all begin anew.
    """

    MEMBER = "Member"
    WHOLE_GROUP = "WholeGroup"


class GangScheduling(StrEnum):
    """How the members of a group that take accelerators come to nodes.

    GATED: they wait until there is room for all of them. NONE: the scheduler gets each at once.
    """

    GATED = "Gated"
    NONE = "None"


@dataclass(frozen=True)
class Sharding:
    """How many pods a group has, its members, and what becomes of it when it loses one.

    `topology` is None where members may stand anywhere.
    """

    shards: int
    recovery: Recovery = Recovery.MEMBER
    topology: Topology | None = None
    gang_scheduling: GangScheduling = GangScheduling.GATED


def parse_sharding(given: Manifest, models: Iterable[Model]) -> Sharding:
    """The sharding part of a spec, for these models.

    Raises:
        InvalidSpec: with the field and what to do about it.
    """
    shards = whole(given.get("shards"), f"{_PATH}.shards", 2, _MOST_SHARDS)
    recovery = given.get("recovery", Recovery.MEMBER)
    if recovery not in set(Recovery):
        raise InvalidSpec(f"{_PATH}.recovery", "use Member or WholeGroup")
    if any(model.platform not in _DIVISIBLE for model in models):
        raise InvalidSpec(_PATH, "only models of the platform tensorflow can be divided")
    topology = given.get("topology")
    gang = given.get("gangScheduling", GangScheduling.GATED)
    if gang not in set(GangScheduling):
        raise InvalidSpec(f"{_PATH}.gangScheduling", "use Gated or None")
    return Sharding(
        shards,
        Recovery(recovery),
        None if topology is None else parse_topology(topology, f"{_PATH}.topology"),
        GangScheduling(gang),
    )


def require_recovery(sharding: Sharding, slice_: Slice) -> None:
    """Make sure that a group which is one TPU slice begins anew as a whole.

    Raises:
        InvalidSpec: it would bring members back one by one.
    """
    if slice_.hosts > 1 and sharding.recovery is not Recovery.WHOLE_GROUP:
        problem = "the hosts of a TPU slice only start together: use WholeGroup"
        raise InvalidSpec(f"{_PATH}.recovery", problem)
