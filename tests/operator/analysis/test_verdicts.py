"""The verdict on a candidate: each limit by a table, and what no numbers can lead to."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.domain.evidence.counts import Tally
from model_operator.domain.evidence.promql import Answer
from model_operator.domain.evidence.stage import Verdict
from model_operator.domain.wish.analysis import Analysis, Query
from model_operator.plan.analysis.chance import is_beyond_chance
from model_operator.plan.analysis.judge import Evidence, judge

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
ERRORS = Analysis(min_requests=100, max_error_percent=1)
ABOVE_STABLE = replace(ERRORS, max_error_percent=100, max_error_percent_above_stable=0.5)
P99 = replace(ERRORS, max_p99=timedelta(milliseconds=50))
P99_ABOVE_STABLE = replace(ERRORS, max_p99_percent_above_stable=20)
CTR = replace(ERRORS, queries=(Query("ctr", "…", lowest=0.02, highest=0.5),))


def tally(requests, errors=0, abandoned=0, **milliseconds):
    """Requests, all but the errors answered in a millisecond if nothing else is said."""
    within = {float(key.strip("ms")): count for key, count in milliseconds.items()}
    return Tally(requests, errors, abandoned, within or {1.0: requests - errors})


def judged(analysis, candidate, stable=None, **more):
    found = judge(analysis, Evidence(candidate, stable or Tally(), **more))
    return found.verdict, found.message


@pytest.mark.parametrize(
    ("candidate", "verdict", "message"),
    [
        pytest.param(Tally(), INCONCLUSIVE, "0 of 100 requests", id="no data"),
        pytest.param(tally(99), INCONCLUSIVE, "99 of 100 requests", id="too little"),
        pytest.param(tally(99, 1), INCONCLUSIVE, "99 of 100 requests", id="may still pass"),
        pytest.param(
            tally(3, 2),
            FAIL,
            "2 of 3 requests failed, more than 1 % of 100",
            id="cannot pass any more",
        ),
        pytest.param(
            tally(99, 2),
            INCONCLUSIVE,
            "2 of 99 requests failed, more than 1 % of 100, which may be chance",
            id="cannot pass yet",
        ),
        pytest.param(
            tally(100), PASS, "error rate 0 % of 100 requests, p99 1 ms", id="enough, all good"
        ),
        pytest.param(
            tally(100, 1), PASS, "error rate 1 % of 100 requests, p99 1 ms", id="at the limit"
        ),
        pytest.param(
            tally(412, 13),
            FAIL,
            "error rate 3.2 % of 412 requests, more than 1 %",
            id="above the limit",
        ),
        pytest.param(
            tally(100, 3),
            INCONCLUSIVE,
            "error rate 3 % of 100 requests, more than 1 %, which may be chance",
            id="as far above it by chance",
        ),
        pytest.param(
            tally(412, 60, 50),
            FAIL,
            "error rate 15 % of 412 requests (50 given up by callers), more than 1 %",
            id="a revision that hangs",
        ),
    ],
)
def test_too_many_errors_fail_and_too_few_requests_never_pass(candidate, verdict, message):
    assert judged(ERRORS, candidate) == (verdict, message)


@pytest.mark.parametrize(
    ("candidate", "stable", "verdict", "message"),
    [
        pytest.param(tally(1000, 9), tally(9000, 36), PASS, "error rate 0.9 %", id="as good"),
        pytest.param(
            tally(1000, 30),
            tally(9000, 36),
            FAIL,
            "error rate 3 % of 1000 requests, more than 0.5 points above the 0.4 % of the stable "
            "revision",
            id="worse",
        ),
        pytest.param(tally(1000, 300), tally(9000, 2700), PASS, "error rate 30 %", id="both bad"),
        pytest.param(
            tally(1000),
            tally(99),
            INCONCLUSIVE,
            "the stable revision has 99 of 100 requests to compare with",
            id="nothing to compare with",
        ),
    ],
)
def test_errors_are_compared_with_those_of_the_stable_revision(candidate, stable, verdict, message):
    found, words = judged(ABOVE_STABLE, candidate, stable)

    assert found is verdict
    assert words.startswith(message)


@pytest.mark.parametrize(
    ("candidate", "verdict", "message"),
    [
        pytest.param(tally(100, ms50=99, ms900=1), PASS, "error rate 0 %", id="99 of 100 in time"),
        pytest.param(
            tally(100, ms50=90, ms900=10),
            FAIL,
            "p99 900 ms of 100 answers, more than 50 ms",
            id="90 of 100",
        ),
        pytest.param(
            tally(100, ms50=98, ms900=2),
            INCONCLUSIVE,
            "p99 900 ms of 100 answers, more than 50 ms, which may be chance",
            id="98 of 100",
        ),
        pytest.param(
            tally(100, ms1=49),
            INCONCLUSIVE,
            "how long they took is known of 49 of 100 requests",
            id="hardly any is known",
        ),
    ],
)
def test_slow_answers_fail(candidate, verdict, message):
    found, words = judged(P99, candidate)

    assert found is verdict
    assert words.startswith(message)


@pytest.mark.parametrize(
    ("candidate", "stable", "verdict"),
    [
        pytest.param(tally(100, ms120=100), tally(100, ms100=100), PASS, id="20 % slower"),
        pytest.param(tally(100, ms130=100), tally(100, ms100=100), FAIL, id="30 % slower"),
        pytest.param(tally(100, ms3=100), tally(100, ms2=100), PASS, id="nearer than is measured"),
        pytest.param(tally(100, ms5=100), tally(100, ms2=100), FAIL, id="a few milliseconds"),
        pytest.param(tally(100, ms130=100), tally(99, ms1=99), INCONCLUSIVE, id="too few of it"),
        pytest.param(tally(100, ms130=100), tally(100, ms1=9), INCONCLUSIVE, id="too few times"),
    ],
)
def test_times_are_compared_with_those_of_the_stable_revision(candidate, stable, verdict):
    assert judged(P99_ABOVE_STABLE, candidate, stable)[0] is verdict


@pytest.mark.parametrize(
    ("answer", "verdict", "message"),
    [
        pytest.param(Answer(0.02), PASS, "error rate 0 %", id="within its bounds"),
        pytest.param(Answer(0.013), FAIL, "ctr is 0.013, below 0.02", id="too little"),
        pytest.param(Answer(0.7), FAIL, "ctr is 0.7, above 0.5", id="too much"),
        pytest.param(
            Answer(None, "Prometheus does not answer"),
            INCONCLUSIVE,
            "ctr: Prometheus does not answer",
            id="no answer",
        ),
        pytest.param(None, INCONCLUSIVE, "ctr: not answered yet", id="not asked yet"),
    ],
)
def test_numbers_of_prometheus_have_bounds(answer, verdict, message):
    answers = {"ctr": answer} if answer else {}

    found, words = judged(CTR, tally(100), answers=answers)

    assert found is verdict
    assert words.startswith(message)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(None, "the query is broken"), "7 of 100 requests; ctr: the query is broken"),
        (Answer(0.013), "7 of 100 requests"),
        (Answer(0.3), "7 of 100 requests"),
        (None, "7 of 100 requests"),
    ],
)
def test_before_there_were_enough_requests_only_what_is_wrong_with_a_query_is_told(answer, message):
    answers = {"ctr": answer} if answer else {}

    assert judged(CTR, tally(7), answers=answers) == (INCONCLUSIVE, message)


def test_a_pass_tells_the_numbers_of_queries_as_well():
    assert judged(CTR, tally(100), answers={"ctr": Answer(0.3)})[1].endswith("; ctr is 0.3")


def test_a_silent_router_is_never_a_pass_and_hides_no_failure():
    silent = ("router r-1 does not answer",)

    assert judged(ERRORS, tally(500), troubles=silent) == (INCONCLUSIVE, *silent)
    assert judged(ERRORS, tally(500, 50), troubles=silent)[0] is FAIL


def test_all_that_is_bad_is_said():
    bad = tally(100, 10, ms900=90)

    assert judged(P99, bad)[1] == (
        "error rate 10 % of 100 requests, more than 1 %; p99 900 ms of 90 answers, more than 50 ms"
    )


def test_the_numbers_stay_with_the_verdict():
    found = judge(CTR, Evidence(tally(100), tally(7), {"ctr": Answer(0.3), "x": Answer(1)}))

    assert (found.candidate, found.stable, found.values) == (tally(100), tally(7), {"ctr": 0.3})


PERCENT = st.none() | st.floats(0, 100)
ANALYSES = st.builds(
    Analysis,
    min_requests=st.integers(1, 1000),
    max_error_percent=st.floats(0, 100),
    max_error_percent_above_stable=PERCENT,
    max_p99=st.none() | st.integers(1, 1000).map(lambda ms: timedelta(milliseconds=ms)),
    max_p99_percent_above_stable=PERCENT,
    queries=st.sampled_from([(), CTR.queries]),
)
TALLIES = st.builds(
    lambda good, bad, answered: Tally(good + bad, bad, 0, answered),
    st.integers(0, 2000),
    st.integers(0, 50),
    st.dictionaries(st.sampled_from([1.0, 20.0, 500.0]), st.integers(0, 1000)),
)
EVIDENCE = st.builds(
    Evidence,
    TALLIES,
    TALLIES,
    st.just({})
    | st.builds(
        lambda value: {"ctr": Answer(value)},
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.just(()) | st.just(("router r-1 does not answer",)),
)


@given(ANALYSES, EVIDENCE)
def test_a_pass_takes_enough_requests_of_which_few_failed_and_all_sources(analysis, evidence):
    found = judge(analysis, evidence)

    assert found.message
    if found.verdict is PASS:
        assert evidence.candidate.requests >= analysis.min_requests
        assert evidence.candidate.error_percent <= analysis.max_error_percent
        assert not evidence.troubles
        assert set(found.values) == {query.name for query in analysis.queries}


@pytest.mark.parametrize(
    ("bad", "total", "percent", "is_certain"),
    [
        (0, 0, 1, False),
        (1, 1, 0, True),
        (0, 100, 0, False),
        (1, 100, 1, False),
        (5, 100, 1, False),
        (6, 100, 1, True),
        (30, 2000, 1, False),
        (40, 2000, 1, True),
        (2, 2, 1, True),
        (10, 10, 100, False),
    ],
)
def test_how_many_can_hardly_be_chance(bad, total, percent, is_certain):
    assert is_beyond_chance(bad, total, percent) is is_certain


@given(st.integers(1, 10_000), st.floats(0.01, 99), st.data())
def test_more_that_are_bad_are_never_more_likely_to_be_chance(total, percent, data):
    bad = data.draw(st.integers(0, total - 1))

    if is_beyond_chance(bad, total, percent):
        assert is_beyond_chance(bad + 1, total, percent)


def test_a_version_that_is_just_as_good_as_its_limit_is_hardly_ever_turned_away():
    drawn = random.Random(7)
    failed = 0
    for _ in range(300):
        bad = sum(drawn.random() < 0.01 for _ in range(1000))
        failed += is_beyond_chance(bad, 1000, 1)

    assert failed <= 3


@given(ANALYSES, EVIDENCE)
def test_nothing_but_errors_is_held_against_a_candidate_before_it_had_enough_requests(
    analysis, evidence
):
    found = judge(analysis, evidence)

    if found.verdict is FAIL and evidence.candidate.requests < analysis.min_requests:
        most = analysis.max_error_percent * analysis.min_requests / 100
        assert evidence.candidate.errors > most


@given(ANALYSES, TALLIES)
def test_a_candidate_that_is_just_like_the_stable_revision_fails_no_comparison(analysis, tally):
    alone = replace(analysis, max_error_percent=100, max_p99=None, queries=())

    assert judge(alone, Evidence(tally, tally)).verdict is not FAIL
