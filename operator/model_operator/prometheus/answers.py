"""What Prometheus answers to an instant query, as one number or the reason why there is none.

The form of answers: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

import json
import math
from http import HTTPStatus
from typing import Any

from model_operator.domain.errors import UNREADABLE
from model_operator.domain.evidence.promql import Answer

# Answers stand in a status that people read.
_MOST_WORDS = 300
_STRANGE = "what answered is no Prometheus: its answer cannot be read"
_REFUSED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def answer_of(status: int, body: bytes) -> Answer:
    """The number in an answer over HTTP."""
    if status in _REFUSED:
        return _unknown(f"Prometheus refused the operator (HTTP {status}); its token may be wrong")
    try:
        said = json.loads(body)
        if said["status"] == "error":
            return _refusal(status, str(said["error"]))
        if status != HTTPStatus.OK:
            return _unknown(f"Prometheus answered HTTP {status}")
        if warnings := said.get("warnings"):
            return _unknown(f"Prometheus warns: {words(str(warnings[0]))}")
        return _number(said["data"])
    except UNREADABLE:
        strange = status != HTTPStatus.OK
        return _unknown(f"Prometheus answered HTTP {status}" if strange else _STRANGE)


def words(text: str) -> str:
    """Somebody else's words on one line of bearable length."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[:2000]).split())
    return line if len(line) <= _MOST_WORDS else f"{line[: _MOST_WORDS - 1]}…"


def _refusal(status: int, said: str) -> Answer:
    if status == HTTPStatus.BAD_REQUEST:
        return _unknown(f"the query is broken: {words(said)}")
    return _unknown(f"Prometheus could not answer: {words(said)} (HTTP {status})")


def _number(data: Any) -> Answer:
    match data["resultType"]:
        case "scalar":
            return _finite(data["result"][1])
        case "vector":
            return _only(data["result"])
        case kind:
            return _unknown(f"the query gives a {words(str(kind))}, not one number")


def _only(samples: Any) -> Answer:
    if not samples:
        return _unknown("no data: no time series matches")
    if len(samples) > 1:
        found = f"the query gives {len(samples)} time series"
        return _unknown(f"{found}, not one number; sum() or max() makes one of them")
    if "histogram" in samples[0]:
        return _unknown("the query gives a histogram, not one number")
    return _finite(samples[0]["value"][1])


def _finite(text: Any) -> Answer:
    value = float(text)
    if math.isnan(value):
        return _unknown("no data: the value is NaN, as of 0 / 0")
    if math.isinf(value):
        return _unknown(f"no data: the value is {text}, as of a division by 0")
    return Answer(value)


def _unknown(trouble: str) -> Answer:
    return Answer(None, trouble)
