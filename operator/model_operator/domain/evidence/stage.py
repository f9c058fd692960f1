"""How far a candidate has come on its way to the traffic, as the status remembers it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class State(StrEnum):
    """What a rollout is at.

    WAITING: for ready pods that can carry the step's weight. HOLDING: the step's weight is in
    force, and its time or its verdict is awaited. PAUSED: it goes on when a user says so.
    PROMOTED: the candidate is the stable revision now. ABORTED: the former one stays.
    """

    WAITING = "Waiting"
    HOLDING = "Holding"
    PAUSED = "Paused"
    PROMOTED = "Promoted"
    ABORTED = "Aborted"


class Verdict(StrEnum):
    """What an analysis says of a candidate. Without data it is Inconclusive, never Pass."""

    PASS = "Pass"
    FAIL = "Fail"
    INCONCLUSIVE = "Inconclusive"


@dataclass(frozen=True)
class Abort:
    """Why and when a candidate was turned away."""

    reason: str
    message: str
    at: datetime


@dataclass(frozen=True)
class Stage:
    """Where a candidate stands. Weights are percent of the main model's requests.

    `target` is the weight of the present step, 100 after the last one, and `since` is when that
    step began. `weight` is what the candidate gets, `held_since` since when it got all of `target`.
    `paused_since` is set while the user has the rollout paused. `bad_verdicts` are those at this
    step, and `is_halted` means that its deadline passed without a verdict. `given` are replicas
    that the stable revision has given up, because the candidate found no free accelerators.
    """

    target: int
    since: datetime
    weight: int = 0
    held_since: datetime | None = None
    paused_since: datetime | None = None
    abort: Abort | None = None
    bad_verdicts: int = 0
    is_halted: bool = False
    given: int = 0
