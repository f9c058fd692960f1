"""How the user wants changes of revision to go."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.analysis import Analysis, parse_analysis


class Strategy(StrEnum):
    """Where the pods of a new revision find room.

    SURGE_FIRST: beside all pods of the old one. DRAIN_FIRST: the old one gives up a replica for
    each new one. AUTO: the old one gives up replicas only where accelerators are short.
    """

    AUTO = "Auto"
    SURGE_FIRST = "SurgeFirst"
    DRAIN_FIRST = "DrainFirst"


@dataclass(frozen=True)
class TrafficStep:
    """A share of the requests, in percent, and how long the candidate has it.

    `pauses` means: until a user promotes it. The time of `hold` counts from when all pods that the
    weight needs are ready.
    """

    weight: int
    hold: timedelta = timedelta()
    pauses: bool = False


@dataclass(frozen=True)
class Rollout:
    """How a candidate takes over.

    `steps` rise and end below 100; without any it gets all traffic when it is ready. With an
    `analysis` a step ends when its time is over and the candidate has passed. `deadline` is
    the time that a change, or each of its steps beyond its hold, may take. `keep_warm` is how long
    the former revision keeps its pods, `abort_keep` how long an aborted one does. `history_limit`
    counts revisions that are not in use.
    """

    strategy: Strategy = Strategy.AUTO
    deadline: timedelta = timedelta(seconds=600)
    history_limit: int = 10
    steps: tuple[TrafficStep, ...] = ()
    keep_warm: timedelta = timedelta()
    abort_keep: timedelta = timedelta(seconds=30)
    is_paused: bool = False
    analysis: Analysis | None = None


def parse_rollout(rollout: Manifest) -> Rollout:
    """The wishes in `spec.rollout`, which may be empty.

    Raises:
        InvalidSpec: with the path of the field.
    """
    default = Rollout()
    steps = _steps(rollout.get("steps") or [])
    # Whoever wants steps wants a way back; without them pods are not held longer than needed.
    analysis = rollout.get("analysis")
    if analysis is not None and not steps:
        raise InvalidSpec(
            "spec.rollout.analysis", "needs spec.rollout.steps: it is made at each of them"
        )
    warm = _seconds(rollout, "keepWarmSeconds", timedelta(seconds=300 if steps else 0))
    return Rollout(
        strategy=_strategy(rollout.get("capacity", default.strategy)),
        deadline=_seconds(rollout, "progressDeadlineSeconds", default.deadline, lowest=1),
        history_limit=_whole(
            rollout.get("historyLimit", default.history_limit), "historyLimit", lowest=0
        ),
        steps=steps,
        keep_warm=warm,
        abort_keep=_seconds(rollout, "abortKeepSeconds", default.abort_keep),
        is_paused=bool(rollout.get("paused", False)),
        analysis=None if analysis is None else parse_analysis(analysis),
    )


def _steps(steps: Any) -> tuple[TrafficStep, ...]:
    found = tuple(_step(step, f"steps[{place}]") for place, step in enumerate(steps))
    weights = [step.weight for step in found]
    if weights != sorted(set(weights)) or any(not 0 < weight < 100 for weight in weights):
        raise InvalidSpec("spec.rollout.steps", "weights must rise, from 1 or more to 99 or less")
    return found


def _step(step: Manifest, field: str) -> TrafficStep:
    pauses = bool(step.get("pause", False))
    if pauses and "holdSeconds" in step:
        raise InvalidSpec(f"spec.rollout.{field}", "has holdSeconds or pause, not both")
    weight = _whole(step.get("weight"), f"{field}.weight", lowest=1)
    hold = _whole(step.get("holdSeconds", 0), f"{field}.holdSeconds", lowest=0)
    return TrafficStep(weight, timedelta(seconds=hold), pauses)


def _seconds(rollout: Manifest, field: str, default: timedelta, lowest: int = 0) -> timedelta:
    return timedelta(
        seconds=_whole(rollout.get(field, int(default.total_seconds())), field, lowest)
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
