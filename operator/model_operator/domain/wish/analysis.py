"""What a candidate has to show before it gets more requests, as the user wants it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.evidence.promql import require_known
from model_operator.domain.manifests import Manifest

_FIELD = "spec.rollout.analysis"
_QUERY_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9_]{0,62}")
_LONGEST_MILLISECONDS = 3_600_000


class OnInconclusive(StrEnum):
    """What becomes of a candidate whose step is over its deadline without a verdict.

    WAIT: it keeps its weight until there is one. PAUSE: it keeps it until a user promotes it.
    ABORT: it is turned away.
    """

    WAIT = "Wait"
    PAUSE = "Pause"
    ABORT = "Abort"


@dataclass(frozen=True)
class Query:
    """A number that a Prometheus knows, and from where to where it is good.

    `text` is PromQL in which `${revision}`, `${stable}`, `${namespace}` and `${name}` stand for the
    candidate, what it is compared with, and the ModelDeployment. One of both bounds may be None.
    """

    name: str
    text: str
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class Analysis:
    """What a candidate has to show at each step; a limit that is None is none.

    `min_requests` are those of the candidate in a stretch of a step that a verdict is made from.
    `max_error_percent_above_stable` is in points, `max_p99_percent_above_stable` in percent of the
    stable revision's. `failure_limit` is the number of bad verdicts that end it.
    """

    min_requests: int = 100
    max_error_percent: float = 1.0
    max_error_percent_above_stable: float | None = None
    max_p99: timedelta | None = None
    max_p99_percent_above_stable: float | None = None
    queries: tuple[Query, ...] = field(default_factory=tuple)
    failure_limit: int = 1
    on_inconclusive: OnInconclusive = OnInconclusive.WAIT


def parse_analysis(analysis: Manifest) -> Analysis:
    """The wishes in `spec.rollout.analysis`, which may be empty.

    Raises:
        InvalidSpec: with the path of the field.
    """
    default = Analysis()
    error_percent = _number(analysis, "maxErrorPercent", 0, 100)
    milliseconds = _number(analysis, "maxP99Milliseconds", 1, _LONGEST_MILLISECONDS)
    action = analysis.get("onInconclusive", default.on_inconclusive)
    if not isinstance(action, str) or action not in set(OnInconclusive):
        known = ", ".join(OnInconclusive)
        raise InvalidSpec(f"{_FIELD}.onInconclusive", f"{action!r} is not one of {known}")
    return Analysis(
        min_requests=_whole(analysis, "minRequests", default.min_requests),
        max_error_percent=default.max_error_percent if error_percent is None else error_percent,
        max_error_percent_above_stable=_number(analysis, "maxErrorPercentAboveStable", 0, 100),
        max_p99=None if milliseconds is None else timedelta(milliseconds=milliseconds),
        max_p99_percent_above_stable=_number(analysis, "maxP99PercentAboveStable", 0, 10_000),
        queries=_queries(analysis.get("prometheus") or ()),
        failure_limit=_whole(analysis, "failureLimit", default.failure_limit),
        on_inconclusive=OnInconclusive(action),
    )


def _queries(queries: Sequence[Manifest]) -> tuple[Query, ...]:
    found = tuple(_query(query, f"prometheus[{place}]") for place, query in enumerate(queries))
    names = [query.name for query in found]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidSpec(f"{_FIELD}.prometheus[{place}].name", f"{name!r} is there already")
    return found


def _query(query: Manifest, path: str) -> Query:
    name, text = query.get("name"), query.get("query")
    if not isinstance(name, str) or not _QUERY_NAME.fullmatch(name):
        raise InvalidSpec(f"{_FIELD}.{path}.name", "must be letters, digits, '-' and '_'")
    if not isinstance(text, str) or not text.strip():
        raise InvalidSpec(
            f"{_FIELD}.{path}.query", "is required: what to ask Prometheus, in PromQL"
        )
    require_known(f"{_FIELD}.{path}.query", text)
    lowest = _bound(query.get("min"), f"{path}.min")
    highest = _bound(query.get("max"), f"{path}.max")
    if lowest is None and highest is None:
        raise InvalidSpec(f"{_FIELD}.{path}", "needs min, max or both")
    if lowest is not None and highest is not None and lowest > highest:
        raise InvalidSpec(f"{_FIELD}.{path}", "has a min above its max: nothing can pass")
    return Query(name, text, lowest, highest)


def _bound(value: Any, path: str) -> float | None:
    if value is None:
        return None
    if not _is_number(value):
        raise InvalidSpec(f"{_FIELD}.{path}", "must be a number")
    return float(value)


def _number(analysis: Manifest, name: str, lowest: float, highest: float) -> float | None:
    value = analysis.get(name)
    if value is None:
        return None
    if not _is_number(value) or not lowest <= value <= highest:
        raise InvalidSpec(f"{_FIELD}.{name}", f"must be a number from {lowest:g} to {highest:g}")
    return float(value)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # A whole number may be too large for a float.
    return abs(value) < 1e300 and not math.isnan(value)


def _whole(analysis: Manifest, name: str, default: int) -> int:
    value = analysis.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InvalidSpec(f"{_FIELD}.{name}", "must be a whole number, 1 or more")
    return value
