"""Counts of ready pods and of requests are written now and then; all other news at once."""

from datetime import UTC, datetime, timedelta

import pytest

from model_operator.plan.pace import Pace
from model_operator.plan.plan import Plan

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NEWS = Plan(status={"observedGeneration": 2})
COUNTS = Plan(status={"readyReplicas": 2}, is_only_counts=True)


def after(seconds):
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def pace():
    """A status was written at noon."""
    pace = Pace()
    pace.in_good_time("shop/ranker", NEWS, NOON)
    return pace


def test_news_are_written_at_once(pace):
    assert pace.in_good_time("shop/ranker", NEWS, after(1)) == NEWS


def test_counts_wait_and_are_looked_at_again(pace):
    plan = pace.in_good_time("shop/ranker", COUNTS, after(1))

    assert plan.status is None
    assert plan.again_at == after(5)


def test_counts_are_written_when_they_are_due(pace):
    assert pace.in_good_time("shop/ranker", COUNTS, after(5)) == COUNTS
    assert pace.in_good_time("shop/ranker", COUNTS, after(9)).status is None


def test_requests_are_counted_less_often_than_pods(pace):
    requests = Plan(status={"candidate": {"requests": 9}}, is_only_requests=True)

    early = pace.in_good_time("shop/ranker", requests, after(9))

    assert (early.status, early.again_at) == (None, after(10))
    assert pace.in_good_time("shop/ranker", requests, after(10)) == requests


def test_an_earlier_look_stays_earlier(pace):
    soon = Plan(status={}, is_only_counts=True, again_at=after(2))

    assert pace.in_good_time("shop/ranker", soon, after(1)).again_at == after(2)


def test_each_object_has_a_pace_of_its_own(pace):
    assert pace.in_good_time("shop/other", COUNTS, after(1)) == COUNTS


def test_a_plan_without_a_status_stays_as_it_is(pace):
    assert pace.in_good_time("shop/ranker", Plan(), after(1)) == Plan()
