"""What users may ask of an analysis, and with which words the rest is refused."""

from datetime import timedelta

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.wish.analysis import Analysis, OnInconclusive, Query, parse_analysis
from model_operator.domain.wish.rollout import parse_rollout

CTR = {"name": "ctr", "query": "ctr{revision='${revision}'}", "min": 0.02}


def test_without_a_word_one_percent_of_a_hundred_requests_may_fail():
    wanted = parse_analysis({})

    assert wanted == Analysis(min_requests=100, max_error_percent=1.0, failure_limit=1)
    assert wanted.on_inconclusive is OnInconclusive.WAIT


def test_every_wish_is_taken():
    wanted = parse_analysis(
        {
            "minRequests": 7,
            "maxErrorPercent": 0,
            "maxErrorPercentAboveStable": 0.5,
            "maxP99Milliseconds": 2.5,
            "maxP99PercentAboveStable": 20,
            "prometheus": [CTR],
            "failureLimit": 3,
            "onInconclusive": "Abort",
        }
    )

    assert wanted == Analysis(
        min_requests=7,
        max_error_percent=0,
        max_error_percent_above_stable=0.5,
        max_p99=timedelta(microseconds=2500),
        max_p99_percent_above_stable=20,
        queries=(Query("ctr", "ctr{revision='${revision}'}", lowest=0.02),),
        failure_limit=3,
        on_inconclusive=OnInconclusive.ABORT,
    )


@pytest.mark.parametrize(
    ("analysis", "words"),
    [
        ({"minRequests": 0}, r"analysis\.minRequests: must be a whole number, 1 or more"),
        ({"minRequests": 1.5}, r"analysis\.minRequests"),
        ({"failureLimit": True}, r"analysis\.failureLimit"),
        ({"maxErrorPercent": 101}, r"analysis\.maxErrorPercent: must be a number from 0 to 100"),
        ({"maxErrorPercent": float("nan")}, r"analysis\.maxErrorPercent"),
        ({"maxErrorPercentAboveStable": "1"}, r"analysis\.maxErrorPercentAboveStable"),
        ({"maxP99Milliseconds": 0}, r"analysis\.maxP99Milliseconds"),
        ({"maxP99PercentAboveStable": -1}, r"analysis\.maxP99PercentAboveStable"),
        ({"onInconclusive": "Pass"}, r"'Pass' is not one of Wait, Pause, Abort"),
        ({"onInconclusive": ["Wait"]}, r"analysis\.onInconclusive"),
        ({"prometheus": [{**CTR, "name": "c t r"}]}, r"prometheus\[0\]\.name"),
        ({"prometheus": [{**CTR, "query": " "}]}, r"prometheus\[0\]\.query: is required"),
        (
            {"prometheus": [{**CTR, "query": "ctr{revision='${candidate}'}"}]},
            r"prometheus\[0\]\.query: \$\{candidate\} is not one of \$\{revision\}, ",
        ),
        ({"prometheus": [{"name": "ctr", "query": "1"}]}, r"prometheus\[0\]: needs min, max"),
        ({"prometheus": [{**CTR, "max": 0.01}]}, r"prometheus\[0\]: has a min above its max"),
        ({"prometheus": [{**CTR, "min": 10**400}]}, r"prometheus\[0\]\.min: must be a number"),
        ({"prometheus": [CTR, CTR]}, r"prometheus\[1\]\.name: 'ctr' is there already"),
    ],
    ids=str,
)
def test_a_wish_that_cannot_be_is_refused_by_its_field(analysis, words):
    with pytest.raises(InvalidSpec, match=words):
        parse_analysis(analysis)


def test_an_analysis_needs_steps_to_be_made_at():
    with pytest.raises(InvalidSpec, match=r"spec\.rollout\.analysis: needs spec\.rollout\.steps"):
        parse_rollout({"analysis": {}})


def test_steps_without_an_analysis_go_by_time():
    assert parse_rollout({"steps": [{"weight": 10}]}).analysis is None
