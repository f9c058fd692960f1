"""That each copy of a model is a group of pods which hold it together."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.fields import whole
from model_operator.domain.manifests import Manifest
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


@dataclass(frozen=True)
class Sharding:
    """How many pods a group has, its members, and what becomes of it when it loses one."""

    shards: int
    recovery: Recovery = Recovery.MEMBER


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
    return Sharding(shards, Recovery(recovery))
