"""How the user wants changes of revision to go."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import Manifest


class Strategy(StrEnum):
    """Where the pods of a new revision find room.

    SURGE_FIRST: beside all pods of the old one. DRAIN_FIRST: the old one gives up a replica for
    each new one. AUTO: the old one gives up replicas only where accelerators are short.
    """

    AUTO = "Auto"
    SURGE_FIRST = "SurgeFirst"
    DRAIN_FIRST = "DrainFirst"


@dataclass(frozen=True)
class Rollout:
    """`deadline` is the time a change may take; `history_limit` counts revisions not in use."""

    strategy: Strategy = Strategy.AUTO
    deadline: timedelta = timedelta(seconds=600)
    history_limit: int = 10


def parse_rollout(rollout: Manifest) -> Rollout:
    """The wishes in `spec.rollout`, which may be empty.

    Raises:
        InvalidSpec: with the path of the field.
    """
    default = Rollout()
    seconds = rollout.get("progressDeadlineSeconds", int(default.deadline.total_seconds()))
    return Rollout(
        strategy=_strategy(rollout.get("capacity", default.strategy)),
        deadline=timedelta(seconds=_whole(seconds, "progressDeadlineSeconds", lowest=1)),
        history_limit=_whole(
            rollout.get("historyLimit", default.history_limit), "historyLimit", lowest=0
        ),
    )


def _strategy(value: Any) -> Strategy:
    if value not in set(Strategy):
        known = ", ".join(Strategy)
        raise InvalidSpec("spec.rollout.capacity", f"{value!r} is not one of {known}")
    return Strategy(value)


def _whole(value: Any, field: str, lowest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise InvalidSpec(f"spec.rollout.{field}", f"must be a whole number, {lowest} or more")
    return value
