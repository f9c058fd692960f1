"""What single limits find: whether a number is within its bounds, in words as well."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model_operator.domain.evidence.promql import Answer
from model_operator.domain.evidence.stage import Verdict
from model_operator.domain.wish.analysis import Query


@dataclass(frozen=True)
class Finding:
    """What one limit comes to. `name` and `value` are those of a query and of its number."""

    verdict: Verdict
    words: str
    name: str = ""
    value: float | None = None


def bad(words: str) -> Finding:
    return Finding(Verdict.FAIL, words)


def open_(words: str) -> Finding:
    """Not known well enough."""
    return Finding(Verdict.INCONCLUSIVE, words)


def over(words: str, is_certain: bool) -> Finding:
    """Beyond a limit: bad if that can hardly be chance, else for more requests to tell."""
    return bad(words) if is_certain else open_(f"{words}, which may be chance")


def findings(queries: Iterable[Query], answers: Mapping[str, Answer]) -> tuple[Finding, ...]:
    """One for each query. Without a number it is Inconclusive, never Pass."""
    return tuple(_finding(query, answers.get(query.name)) for query in queries)


def _finding(query: Query, answer: Answer | None) -> Finding:
    name = query.name
    if answer is None or answer.value is None:
        said = answer.trouble if answer else "not answered yet"
        return Finding(Verdict.INCONCLUSIVE, f"{name}: {said}", name)
    value = answer.value
    told = f"{name} is {value:.6g}"
    # A number that is none is within no bounds.
    if query.lowest is not None and not value >= query.lowest:
        return Finding(Verdict.FAIL, f"{told}, below {query.lowest:g}", name, value)
    if query.highest is not None and not value <= query.highest:
        return Finding(Verdict.FAIL, f"{told}, above {query.highest:g}", name, value)
    return Finding(Verdict.PASS, told, name, value)
