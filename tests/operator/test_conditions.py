"""Conditions as the API conventions want them."""

from datetime import UTC, datetime, timedelta

from model_operator.domain.conditions import Condition, ConditionType, merge, moment, timestamp

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def ready(is_true, reason="Why"):
    return Condition(ConditionType.READY, is_true, reason, "")


def test_the_time_stays_while_the_status_does_though_the_reason_changes():
    before = merge([], [ready(False, "Progressing")], 1, NOON)

    after = merge(before, [ready(False, "Unschedulable")], 2, LATER)

    assert after[0]["lastTransitionTime"] == timestamp(NOON)
    assert after[0]["observedGeneration"] == 2
    assert after[0]["reason"] == "Unschedulable"


def test_the_time_moves_with_the_status():
    before = merge([], [ready(False)], 1, NOON)

    after = merge(before, [ready(True)], 1, LATER)

    assert after[0]["lastTransitionTime"] == timestamp(LATER)


def test_a_condition_that_holds_no_more_is_absent():
    stalled = Condition(ConditionType.STALLED, True, "Late", "")
    before = merge([], [ready(False), stalled], 1, NOON)

    after = merge(before, [ready(True)], 1, LATER)

    assert [item["type"] for item in after] == ["Ready"]


def test_a_timestamp_is_read_back_as_the_moment_it_names():
    assert moment(timestamp(NOON)) == NOON
