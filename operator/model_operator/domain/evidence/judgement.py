"""What an analysis says of a candidate, with the numbers that led to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from model_operator.domain.evidence.counts import NO_REQUESTS, Tally
from model_operator.domain.evidence.stage import Verdict


@dataclass(frozen=True)
class Judgement:
    """A verdict, why, and what it was made from.

    `candidate` and `stable` are of the same stretch of time; `values` are what queries gave.
    """

    verdict: Verdict
    message: str
    candidate: Tally = NO_REQUESTS
    stable: Tally = NO_REQUESTS
    values: Mapping[str, float] = field(default_factory=dict)
