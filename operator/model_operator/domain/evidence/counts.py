"""What routers have counted for the revisions of a model, read from what each of them tells.

The contract is contracts/traffic-counts.schema.json; routers write it, the operator reads it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from model_operator.domain.errors import UNREADABLE

SCHEMA = 1
_MOST = 10**15


@dataclass(frozen=True)
class Tally:
    """The requests to a revision that have ended, and how.

    `errors` are those that failed, with those that callers gave up, which are `abandoned`.
    `answered_within` counts the others by milliseconds, each at the upper end of its bucket.
    """

    requests: int = 0
    errors: int = 0
    abandoned: int = 0
    answered_within: Mapping[float, int] = field(default_factory=dict)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.requests + other.requests,
            self.errors + other.errors,
            self.abandoned + other.abandoned,
            Counter(self.answered_within) + Counter(other.answered_within),
        )

    def since(self, before: "Tally") -> "Tally":
        """What has come since an earlier look at the same counters."""
        answered = Counter(self.answered_within)
        answered.subtract(before.answered_within)
        requests = max(0, self.requests - before.requests)
        errors = min(requests, max(0, self.errors - before.errors))
        abandoned = min(errors, max(0, self.abandoned - before.abandoned))
        return Tally(requests, errors, abandoned, +answered)

    @property
    def answered(self) -> int:
        """The requests of which it is known how long they took."""
        return sum(self.answered_within.values())

    @property
    def error_percent(self) -> float:
        """Percent of the requests that failed; 0 without any."""
        return 100 * self.errors / self.requests if self.requests else 0.0

    def slower_than(self, milliseconds: float) -> int:
        """The answers that took longer."""
        return sum(n for bound, n in self.answered_within.items() if bound > milliseconds)

    def quantile(self, part: float) -> float | None:
        """The milliseconds in which that part of the answers was there; None without answers.

        It is the upper end of a bucket: never less than it really was, and whole milliseconds.
        """
        rest = part * self.answered
        for bound, count in sorted(self.answered_within.items()):
            rest -= count
            if count and rest <= 1e-9:
                return bound
        return None


NO_REQUESTS = Tally()


@dataclass(frozen=True)
class Told:
    """What one router tells of a model since its split came into force.

    `epoch` is another one whenever the counts have begun anew. `trouble` says why there is nothing.
    """

    router: str
    epoch: str = ""
    split: Mapping[str, int] = field(default_factory=dict)
    tallies: Mapping[str, Tally] = field(default_factory=dict)
    trouble: str = ""


def told_in(router: str, answer: Any, model: str) -> Told:
    """What a router's answer tells of a model; garbage is a trouble and never an exception."""
    try:
        if answer["schema"] != SCHEMA:
            return Told(router, trouble="counts in a way that this operator does not know")
        found = next((item for item in answer["models"] if item["name"] == model), None)
        if found is None:
            return Told(router, trouble="does not know the model yet")
        split = {str(key): _count(value) for key, value in found["split"].items()}
        return Told(router, str(found["epoch"]), split, _tallies(found["revisions"]))
    except UNREADABLE:
        return Told(router, trouble="tells what cannot be read")


def _tallies(revisions: Iterable[Any]) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    for item in revisions:
        name = str(item["revision"])
        if name in tallies:
            raise ValueError(f"{name} is there twice")
        tallies[name] = _tally(item)
    return tallies


def _tally(item: Any) -> Tally:
    requests, errors = _count(item["requests"]), _count(item["errors"])
    abandoned, buckets = _count(item["abandoned"]), item["answeredWithin"]
    if not abandoned <= errors <= requests or len(buckets) > 1000:
        raise ValueError("more of a part than of the whole")
    answered = [(_bound(bound), _count(count)) for bound, count in buckets]
    if any(lower >= upper for (lower, _), (upper, _) in pairwise(answered)):
        raise ValueError("buckets do not rise")
    return Tally(requests, errors, abandoned, dict(answered))


def _bound(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MOST:
        raise ValueError(f"{value!r} is no time")
    return float(value)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise ValueError(f"{value!r} is no count")
    return value
