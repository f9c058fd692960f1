"""The verdict on a candidate: each limit says what it finds, and all of them together decide."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from model_operator.domain.evidence.counts import NO_REQUESTS, Tally
from model_operator.domain.evidence.judgement import Judgement
from model_operator.domain.evidence.promql import Answer
from model_operator.domain.evidence.stage import Verdict
from model_operator.domain.wish.analysis import Analysis, Query
from model_operator.plan.analysis.chance import is_beyond_chance
from model_operator.plan.analysis.findings import Finding, findings, open_, over

# Routers count whole milliseconds: what is nearer together may be the same.
_RESOLUTION = 1.0


@dataclass(frozen=True)
class Evidence:
    """What is known of a candidate and of the stable revision, of the same stretch of time.

    `troubles` say what keeps it from being all: routers that are silent, or hold to other weights.
    """

    candidate: Tally = NO_REQUESTS
    stable: Tally = NO_REQUESTS
    answers: Mapping[str, Answer] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()


def judge(analysis: Analysis, evidence: Evidence) -> Judgement:
    """The verdict. A bad finding decides; without one, all must be known and good for a pass.

    What is beyond a limit by no more than chance may bring is not known yet. Nothing is held
    against a candidate before it has had `minRequests`, but errors that are too many for so many
    requests already.
    """
    found = [*_findings(analysis, evidence)]
    against = [item.words for item in found if item.verdict is Verdict.FAIL]
    unknown = [*evidence.troubles]
    unknown += [item.words for item in found if item.verdict is Verdict.INCONCLUSIVE]
    if against:
        verdict, words = Verdict.FAIL, against
    elif unknown:
        verdict, words = Verdict.INCONCLUSIVE, unknown
    else:
        shown = [item.words for item in found if item.value is not None]
        verdict, words = Verdict.PASS, [_summary(evidence.candidate), *shown]
    values = {item.name: item.value for item in found if item.value is not None}
    return Judgement(verdict, "; ".join(words), evidence.candidate, evidence.stable, values)


def _findings(analysis: Analysis, evidence: Evidence) -> Iterator[Finding]:
    candidate = evidence.candidate
    if candidate.requests < analysis.min_requests:
        most = analysis.max_error_percent * analysis.min_requests / 100
        if candidate.errors > most:
            failed = f"{candidate.errors} of {candidate.requests} requests failed"
            yield over(
                f"{failed}{_of_these(candidate)}, more than "
                f"{analysis.max_error_percent:g} % of {analysis.min_requests}",
                _fails_beyond_chance(candidate, analysis.max_error_percent),
            )
        elif candidate.requests or not evidence.troubles:
            yield open_(f"{candidate.requests} of {analysis.min_requests} requests")
        # That a query is broken is told at once, and not when there were enough requests.
        yield from findings(_in_trouble(analysis, evidence), evidence.answers)
        return
    yield from _errors(analysis, evidence)
    yield from _latency(analysis, evidence)
    yield from findings(analysis.queries, evidence.answers)


def _in_trouble(analysis: Analysis, evidence: Evidence) -> list[Query]:
    """The queries that were answered, and not by a number."""
    answered = [query for query in analysis.queries if query.name in evidence.answers]
    return [query for query in answered if evidence.answers[query.name].value is None]


def _errors(analysis: Analysis, evidence: Evidence) -> Iterator[Finding]:
    candidate, stable = evidence.candidate, evidence.stable
    most = analysis.max_error_percent
    if candidate.error_percent > most:
        words = f"{_error_rate(candidate)}, more than {most:g} %"
        yield over(words, _fails_beyond_chance(candidate, most))
    points = analysis.max_error_percent_above_stable
    if points is None:
        return
    if stable.requests < analysis.min_requests:
        yield _too_little_of_stable(analysis, stable)
    elif candidate.error_percent > stable.error_percent + points:
        yield over(
            f"{_error_rate(candidate)}, more than {points:g} points above the "
            f"{_short(stable.error_percent)} % of the stable revision",
            _fails_beyond_chance(candidate, stable.error_percent + points),
        )


def _latency(analysis: Analysis, evidence: Evidence) -> Iterator[Finding]:
    limit, percent = analysis.max_p99, analysis.max_p99_percent_above_stable
    if limit is None and percent is None:
        return
    candidate = evidence.candidate
    p99 = _p99(candidate)
    if p99 is None:
        known = f"{candidate.answered} of {candidate.requests}"
        yield open_(f"how long they took is known of {known} requests")
        return
    if limit is not None and p99 > limit.total_seconds() * 1000:
        most = limit.total_seconds() * 1000
        words = f"p99 {p99:g} ms of {candidate.answered} answers, more than {most:g} ms"
        yield over(words, _is_slower_beyond_chance(candidate, most))
    if percent is not None:
        yield from _latency_above_stable(analysis, evidence, p99, percent)


def _latency_above_stable(
    analysis: Analysis, evidence: Evidence, p99: float, percent: float
) -> Iterator[Finding]:
    stable = evidence.stable
    usual = _p99(stable)
    if usual is None or stable.requests < analysis.min_requests:
        yield _too_little_of_stable(analysis, stable)
        return
    most = usual * (1 + percent / 100) + _RESOLUTION
    if p99 > most:
        above = f"more than {percent:g} % above the {usual:g} ms of the stable revision"
        yield over(
            f"p99 {p99:g} ms, {above}",
            _is_slower_beyond_chance(evidence.candidate, most),
        )


def _fails_beyond_chance(tally: Tally, percent: float) -> bool:
    return is_beyond_chance(tally.errors, tally.requests, percent)


def _is_slower_beyond_chance(tally: Tally, milliseconds: float) -> bool:
    """A p99 is above a limit when more than one answer of 100 takes longer."""
    return is_beyond_chance(tally.slower_than(milliseconds), tally.answered, 1)


def _p99(tally: Tally) -> float | None:
    """None where it is not known of most requests how long they took."""
    return tally.quantile(0.99) if 2 * tally.answered >= tally.requests else None


def _too_little_of_stable(analysis: Analysis, stable: Tally) -> Finding:
    needed = analysis.min_requests
    return open_(f"the stable revision has {stable.requests} of {needed} requests to compare with")


def _summary(candidate: Tally) -> str:
    p99 = _p99(candidate)
    return _error_rate(candidate) + (f", p99 {p99:g} ms" if p99 is not None else "")


def _error_rate(tally: Tally) -> str:
    return (
        f"error rate {_short(tally.error_percent)} % of {tally.requests} requests{_of_these(tally)}"
    )


def _of_these(tally: Tally) -> str:
    return f" ({tally.abandoned} given up by callers)" if tally.abandoned else ""


def _short(percent: float) -> str:
    """Two digits that count: 12 %, 3.2 %, 0.041 %."""
    return f"{percent:.0f}" if percent >= 10 else f"{percent:.2g}"
