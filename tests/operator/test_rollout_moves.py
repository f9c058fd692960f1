"""What a rollout does next: each rule by a table, with nothing but values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from model_operator.domain.evidence.judgement import Judgement
from model_operator.domain.evidence.stage import Abort, Stage, State, Verdict
from model_operator.domain.wish.analysis import Analysis, OnInconclusive
from model_operator.domain.wish.rollout import Rollout, Strategy, TrafficStep
from model_operator.plan.rollout.change import Pods
from model_operator.plan.rollout.copies import pods_for
from model_operator.plan.rollout.move import Orders, Seen, move

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
STEPS = (
    TrafficStep(10, 2 * MINUTE),
    TrafficStep(50, 5 * MINUTE),
)
CANARY = Rollout(steps=STEPS)
ANALYSED = replace(CANARY, analysis=Analysis())
WORDS = "error rate 3.2 % of 412 requests, more than 1 %"
WITH_PAUSE = Rollout(steps=(TrafficStep(10, pauses=True), TrafficStep(50, MINUTE)))
ABORTED = Stage(10, NOON, abort=Abort("Aborted", "a user aborted it", NOON))


def pods(ready, asked=None):
    asked = ready if asked is None else asked
    return Pods(asked, asked, ready)


def seen(stage=None, ready=0, after=timedelta(), **more):
    """A rollout with four replicas, of which the stable revision has all."""
    stable = more.pop("stable", pods(4))
    candidate = more.pop("candidate", pods(ready))
    if verdict := more.pop("verdict", None):
        more["judgement"] = Judgement(verdict, WORDS)
    return Seen(4, stable, candidate, NOON + after, stage, **more)


def held(target, since=NOON, **more):
    """A stage at which the weight of the step has been in force from its beginning."""
    return Stage(target, since, weight=target, held_since=since, **more)


def at(found):
    return found.state, found.stage.target, found.share


@pytest.mark.parametrize(
    ("weight", "replicas", "pods"), [(1, 4, 1), (25, 4, 1), (26, 4, 2), (50, 3, 2), (100, 3, 3)]
)
def test_a_weight_needs_its_part_of_the_replicas_rounded_up(weight, replicas, pods):
    assert pods_for(weight, replicas) == pods


@pytest.mark.parametrize(
    ("given", "expected", "replicas"),
    [
        pytest.param(seen(), (State.WAITING, 10, 0), (4, 1), id="a new candidate gets pods first"),
        pytest.param(
            seen(Stage(10, NOON), 1), (State.HOLDING, 10, 10), (4, 1), id="then its first weight"
        ),
        pytest.param(
            seen(held(10), 1, 1 * MINUTE), (State.HOLDING, 10, 10), (4, 1), id="for its time"
        ),
        pytest.param(
            seen(held(10), 1, 2 * MINUTE),
            (State.WAITING, 50, 10),
            (4, 2),
            id="more pods before more weight",
        ),
        pytest.param(
            seen(Stage(50, NOON, 10), 1), (State.WAITING, 50, 10), (4, 2), id="until they are ready"
        ),
        pytest.param(
            seen(Stage(50, NOON, 10), 2), (State.HOLDING, 50, 50), (4, 2), id="then more weight"
        ),
        pytest.param(
            seen(held(50), 2, 5 * MINUTE),
            (State.WAITING, 100, 50),
            (4, 4),
            id="all pods before the end",
        ),
        pytest.param(
            seen(Stage(100, NOON, 50), 3), (State.WAITING, 100, 50), (4, 4), id="all of them"
        ),
        pytest.param(
            seen(Stage(100, NOON, 50), 4), (State.PROMOTED, 100, 100), (4, 4), id="promoted"
        ),
        pytest.param(
            seen(held(50), 1, MINUTE),
            (State.WAITING, 50, 10),
            (4, 2),
            id="fewer ready pods carry the weight of a step before",
        ),
        pytest.param(
            seen(held(50), 0, MINUTE), (State.WAITING, 50, 0), (4, 2), id="no ready pod, no weight"
        ),
        pytest.param(
            seen(held(10), 1, MINUTE, stable=pods(0, 4)),
            (State.HOLDING, 10, 100),
            (4, 1),
            id="what answers is used while the stable revision does not",
        ),
        pytest.param(
            seen(held(10), 0, MINUTE, stable=pods(0, 4)),
            (State.WAITING, 10, 0),
            (4, 1),
            id="nothing answers",
        ),
        pytest.param(
            seen(Stage(100, NOON), 4, is_known_good=True),
            (State.PROMOTED, 100, 100),
            (4, 4),
            id="a former revision that is warm comes back at once",
        ),
        pytest.param(
            seen(is_known_good=True),
            (State.WAITING, 100, 0),
            (4, 4),
            id="one that is cold as soon as it is ready",
        ),
    ],
)
def test_weights_rise_by_steps_and_never_before_the_pods(given, expected, replicas):
    found = move(CANARY, given)

    assert at(found) == expected
    assert (found.stable, found.candidate) == replicas


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        pytest.param(None, (State.HOLDING, 10, 10), id="nothing is known"),
        pytest.param(Verdict.PASS, (State.WAITING, 50, 10), id="passed"),
        pytest.param(Verdict.INCONCLUSIVE, (State.HOLDING, 10, 10), id="no data is never a pass"),
        pytest.param(Verdict.FAIL, (State.ABORTED, 10, 0), id="failed"),
    ],
)
def test_a_verdict_decides_when_the_time_of_a_step_is_over(verdict, expected):
    assert at(move(ANALYSED, seen(held(10), 1, 2 * MINUTE, verdict=verdict))) == expected


def test_a_bad_verdict_does_not_wait_for_the_time_of_the_step():
    found = move(ANALYSED, seen(held(50), 2, timedelta(seconds=1), verdict=Verdict.FAIL))

    assert at(found) == (State.ABORTED, 50, 0)
    assert found.stage.abort == Abort(
        "AnalysisFailed", f"it failed at 50 %: {WORDS}", NOON + timedelta(seconds=1)
    )


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param(Stage(10, NOON), id="the weight comes into force only now"),
        pytest.param(Stage(50, NOON, 10), id="requests were those of the step before"),
        pytest.param(Stage(50, NOON, 10, held_since=NOON), id="pods were away and are back now"),
    ],
)
def test_a_pass_counts_at_the_weight_that_it_was_made_at_alone(stage):
    at_once = replace(ANALYSED, steps=(TrafficStep(10), TrafficStep(50)))

    found = move(at_once, seen(stage, 2, MINUTE, verdict=Verdict.PASS))
    after = move(at_once, seen(found.stage, 2, MINUTE, verdict=Verdict.PASS))

    assert at(found) == (State.HOLDING, stage.target, stage.target)
    assert after.stage.target > stage.target


def test_as_many_bad_verdicts_as_are_allowed_end_it():
    patient = replace(ANALYSED, analysis=Analysis(failure_limit=3))

    once = move(patient, seen(held(10), 1, MINUTE, verdict=Verdict.FAIL))
    twice = move(patient, seen(once.stage, 1, MINUTE, verdict=Verdict.FAIL))
    thrice = move(patient, seen(twice.stage, 1, MINUTE, verdict=Verdict.FAIL))

    assert [found.stage.bad_verdicts for found in (once, twice)] == [1, 2]
    assert (once.share, twice.share) == (10, 10)
    assert at(thrice) == (State.ABORTED, 10, 0)


def test_bad_verdicts_of_one_step_are_none_of_the_next():
    patient = replace(ANALYSED, analysis=Analysis(failure_limit=3))

    found = move(patient, seen(Stage(50, NOON, 10, bad_verdicts=2), 2, MINUTE))

    assert (found.share, found.stage.bad_verdicts) == (50, 0)


def test_the_last_step_needs_no_verdict_of_its_own():
    found = move(ANALYSED, seen(Stage(100, NOON, 50), 4, verdict=Verdict.INCONCLUSIVE))

    assert found.state is State.PROMOTED


@pytest.mark.parametrize(
    ("stage", "ready", "after"),
    [
        pytest.param(Stage(10, NOON), 0, 12 * MINUTE, id="pods that do not get ready"),
        pytest.param(Stage(50, NOON, 10), 1, 15 * MINUTE, id="too few of them do"),
        pytest.param(Stage(100, NOON, 50), 3, 10 * MINUTE, id="at the end"),
    ],
)
def test_a_step_that_takes_too_long_is_the_last(stage, ready, after):
    before = move(CANARY, seen(stage, ready, after - timedelta(seconds=1)))
    late = move(CANARY, seen(stage, ready, after))

    assert before.state is State.WAITING
    assert before.again_at == NOON + after
    assert late.state is State.ABORTED
    assert late.stage.abort.reason == "ProgressDeadlineExceeded"


def test_without_a_way_back_a_late_candidate_is_not_turned_away():
    found = move(CANARY, seen(Stage(50, NOON, 10), 1, 60 * MINUTE, stable=pods(0, 4)))

    assert at(found) == (State.WAITING, 50, 100)


def at_the_deadline(action):
    """A rollout, and what it sees when the deadline of its first step is over without a verdict."""
    rollout = replace(ANALYSED, analysis=Analysis(on_inconclusive=action))
    return rollout, seen(held(10), 1, 12 * MINUTE, verdict=Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (OnInconclusive.WAIT, (State.HOLDING, 10, 10)),
        (OnInconclusive.PAUSE, (State.PAUSED, 10, 10)),
        (OnInconclusive.ABORT, (State.ABORTED, 10, 0)),
    ],
)
def test_what_becomes_of_a_step_without_a_verdict_is_up_to_the_user(action, expected):
    rollout, late = at_the_deadline(action)

    before = move(rollout, replace(late, now=late.now - timedelta(seconds=1)))
    found = move(rollout, late)

    assert at(before) == (State.HOLDING, 10, 10)
    assert at(found) == expected


def test_an_abort_without_a_verdict_says_what_was_known():
    rollout, late = at_the_deadline(OnInconclusive.ABORT)

    abort = move(rollout, late).stage.abort

    assert abort.reason == "AnalysisInconclusive"
    assert abort.message == f"it had no verdict at 10 % within 600 s: {WORDS}"


def test_who_waits_goes_on_when_there_is_a_verdict_at_last():
    rollout, late = at_the_deadline(OnInconclusive.WAIT)
    waits = move(rollout, late)

    passed = seen(waits.stage, 1, timedelta(days=9), verdict=Verdict.PASS)
    failed = seen(waits.stage, 1, timedelta(days=9), verdict=Verdict.FAIL)

    assert waits.next == "50 % when its analysis passes"
    assert at(move(rollout, passed)) == (State.WAITING, 50, 10)
    assert move(rollout, failed).state is State.ABORTED


def test_pods_that_are_lost_while_a_verdict_is_awaited_have_the_whole_deadline_again():
    rollout, _ = at_the_deadline(OnInconclusive.WAIT)
    day = timedelta(days=1)

    lost = move(rollout, seen(held(10), 0, day, verdict=Verdict.INCONCLUSIVE))
    later = move(rollout, seen(lost.stage, 0, day + 9 * MINUTE, verdict=Verdict.INCONCLUSIVE))
    late = move(rollout, seen(lost.stage, 0, day + 10 * MINUTE, verdict=Verdict.INCONCLUSIVE))

    assert at(lost) == at(later) == (State.WAITING, 10, 0)
    assert late.state is State.ABORTED


def test_a_step_that_is_halted_waits_for_a_user_whatever_comes_but_failure():
    rollout, late = at_the_deadline(OnInconclusive.PAUSE)
    halted = move(rollout, late).stage

    passed = move(rollout, seen(halted, 1, timedelta(days=9), verdict=Verdict.PASS))
    failed = move(rollout, seen(halted, 1, timedelta(days=9), verdict=Verdict.FAIL))
    ordered = seen(halted, 1, timedelta(days=9), orders=Orders(promotes_past=1))

    assert at(passed) == (State.PAUSED, 10, 10)
    assert "modelfleet.dev/promote" in passed.next
    assert failed.state is State.ABORTED
    assert at(move(rollout, ordered)) == (State.WAITING, 50, 10)
    assert not move(rollout, ordered).stage.is_halted


def test_a_halted_step_goes_on_when_the_user_no_longer_wants_that():
    rollout, late = at_the_deadline(OnInconclusive.PAUSE)
    halted = move(rollout, late).stage

    waits, _ = at_the_deadline(OnInconclusive.WAIT)
    found = move(waits, seen(halted, 1, timedelta(days=9), verdict=Verdict.PASS))

    assert at(found) == (State.WAITING, 50, 10)


@pytest.mark.parametrize(
    ("stage", "orders", "expected"),
    [
        pytest.param(held(10), Orders(aborts=True), (State.ABORTED, 10, 0), id="abort"),
        pytest.param(
            held(10), Orders(promotes_past=2), (State.WAITING, 100, 10), id="promote past all steps"
        ),
        pytest.param(
            held(10), Orders(promotes_past=1), (State.WAITING, 50, 10), id="promote past this one"
        ),
        pytest.param(
            held(10), Orders(promotes_past=99), (State.WAITING, 100, 10), id="more steps than are"
        ),
        pytest.param(
            Stage(50, NOON, 10), Orders(promotes_past=1), (State.WAITING, 50, 10), id="is past it"
        ),
        pytest.param(
            held(10), Orders(aborts=True, promotes_past=2), (State.ABORTED, 10, 0), id="abort wins"
        ),
        pytest.param(ABORTED, Orders(retries=True), (State.HOLDING, 10, 10), id="retry"),
        pytest.param(held(50), Orders(retries=True), (State.WAITING, 50, 10), id="nothing aborted"),
        pytest.param(
            ABORTED, Orders(aborts=True, retries=True), (State.ABORTED, 10, 0), id="both at once"
        ),
        pytest.param(
            ABORTED,
            Orders(promotes_past=2),
            (State.ABORTED, 10, 0),
            id="retry comes before promote",
        ),
    ],
)
def test_what_users_order(stage, orders, expected):
    assert at(move(CANARY, seen(stage, 1, MINUTE, orders=orders))) == expected


def test_a_promoted_candidate_still_gets_all_its_pods_before_all_requests():
    short = move(CANARY, seen(held(10), 1, MINUTE, orders=Orders(promotes_past=2)))
    full = move(CANARY, seen(short.stage, 4, 2 * MINUTE))

    assert (short.share, short.candidate) == (10, 4)
    assert at(full) == (State.PROMOTED, 100, 100)


def test_a_step_that_pauses_has_no_deadline_and_waits_for_a_user():
    paused = move(WITH_PAUSE, seen(held(10), 1, timedelta(days=9), verdict=Verdict.PASS))
    resumed = move(WITH_PAUSE, seen(held(10), 1, MINUTE, orders=Orders(promotes_past=1)))

    assert at(paused) == (State.PAUSED, 10, 10)
    assert paused.again_at is None
    assert "modelfleet.dev/promote" in paused.next
    assert at(resumed) == (State.WAITING, 50, 10)


def test_pods_that_are_lost_while_a_user_thinks_have_the_whole_deadline_again():
    lost = move(WITH_PAUSE, seen(held(10), 0, timedelta(days=1)))
    later = move(WITH_PAUSE, seen(lost.stage, 0, timedelta(days=1, minutes=9)))
    late = move(WITH_PAUSE, seen(lost.stage, 0, timedelta(days=1, minutes=10)))

    assert at(lost) == (State.WAITING, 10, 0)
    assert (later.state, late.state) == (State.WAITING, State.ABORTED)


def test_a_paused_rollout_raises_nothing_and_loses_no_time():
    halted = replace(CANARY, is_paused=True)
    before = Stage(50, NOON, 10)

    paused = move(halted, seen(before, 2, 9 * MINUTE))
    still = move(halted, seen(paused.stage, 2, 600 * MINUTE))
    resumed = move(CANARY, seen(still.stage, 1, 600 * MINUTE))

    assert at(paused) == at(still) == (State.PAUSED, 50, 10)
    assert paused.stage == still.stage
    assert at(resumed) == (State.WAITING, 50, 10)
    assert resumed.again_at == NOON + 606 * MINUTE


def test_a_paused_rollout_is_aborted_by_a_bad_verdict_all_the_same():
    halted = replace(ANALYSED, is_paused=True)

    assert at(move(halted, seen(held(10), 1, verdict=Verdict.FAIL))) == (State.ABORTED, 10, 0)


@pytest.mark.parametrize(
    ("weights", "stage", "ready", "expected"),
    [
        pytest.param((10, 50, 75), held(50), 2, (State.HOLDING, 50, 50), id="a step is added"),
        pytest.param((10, 30, 75), held(50), 2, (State.HOLDING, 30, 30), id="this one is lower"),
        pytest.param((60, 80), held(50), 2, (State.WAITING, 60, 0), id="all are higher"),
        pytest.param(
            (60, 80), held(50), 3, (State.HOLDING, 60, 60), id="all are higher, with room"
        ),
        pytest.param((), held(50), 2, (State.WAITING, 100, 0), id="no steps are left"),
    ],
)
def test_a_list_of_steps_that_is_edited_goes_on_from_its_like(weights, stage, ready, expected):
    edited = Rollout(steps=tuple(TrafficStep(weight, 5 * MINUTE) for weight in weights))

    assert at(move(edited, seen(stage, ready, MINUTE))) == expected


def test_the_time_of_a_step_counts_on_while_some_pods_are_away():
    dipped = move(CANARY, seen(held(50), 1, 4 * MINUTE))
    back = move(CANARY, seen(dipped.stage, 2, 5 * MINUTE))

    assert dipped.share == 10
    assert at(back) == (State.WAITING, 100, 50)


@pytest.mark.parametrize(
    ("stage", "candidate", "replicas"),
    [
        pytest.param(None, pods(0), (3, 1), id="one for the other"),
        pytest.param(Stage(50, NOON, 10), pods(1), (2, 2), id="and the next"),
        pytest.param(Stage(50, NOON, 10), pods(1, 2), (2, 2), id="when that one is ready"),
        pytest.param(Stage(100, NOON, 50), pods(2), (1, 3), id="the last one stays"),
        pytest.param(
            Stage(100, NOON, 50), pods(2, 3), (1, 3), id="until the candidate has the rest"
        ),
    ],
)
def test_drain_first_gives_up_a_replica_for_each(stage, candidate, replicas):
    tight = replace(CANARY, strategy=Strategy.DRAIN_FIRST)

    found = move(tight, seen(stage, candidate=candidate))

    assert (found.stable, found.candidate) == replicas


def test_drain_first_is_promoted_with_all_but_the_last_replica():
    tight = replace(CANARY, strategy=Strategy.DRAIN_FIRST)

    found = move(tight, seen(Stage(100, NOON, 50), 3, stable=pods(1)))

    assert (found.state, found.candidate) == (State.PROMOTED, 4)


def test_what_auto_gave_up_counts_no_more_when_the_user_wants_surge_first():
    surging = replace(CANARY, strategy=Strategy.SURGE_FIRST)

    found = move(surging, seen(Stage(100, NOON, 50, given=1), 3, stable=pods(3)))

    assert at(found) == (State.WAITING, 100, 50)
    assert (found.stable, found.candidate) == (4, 4)


@pytest.mark.parametrize(
    ("after", "stable", "candidate"),
    [
        pytest.param(timedelta(seconds=29), 4, 2, id="they stay for a look"),
        pytest.param(timedelta(seconds=30), 4, 0, id="then they go"),
        pytest.param(timedelta(days=1), 0, 2, id="unless nothing else answers"),
    ],
)
def test_the_pods_of_an_aborted_candidate(after, stable, candidate):
    found = move(CANARY, seen(ABORTED, 2, after, stable=pods(stable, 4)))

    assert (found.stable, found.candidate) == (4, candidate)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param(
            seen(),
            "10 % when it has 1 ready replica; aborted if not by 2026-01-01T12:12:00Z",
            id="pods",
        ),
        pytest.param(seen(held(10), 1), "50 % at 2026-01-01T12:02:00Z", id="time"),
    ],
)
def test_what_comes_next_is_said_in_words(given, words):
    assert move(CANARY, given).next == words


@pytest.mark.parametrize(
    ("action", "after", "words"),
    [
        (OnInconclusive.WAIT, MINUTE, "at 2026-01-01T12:05:00Z if its analysis passes by then"),
        (OnInconclusive.WAIT, 6 * MINUTE, "when its analysis passes"),
        (
            OnInconclusive.ABORT,
            6 * MINUTE,
            "when its analysis passes; aborted if not by 2026-01-01T12:15:00Z",
        ),
        (
            OnInconclusive.PAUSE,
            6 * MINUTE,
            "when its analysis passes; paused if not by 2026-01-01T12:15:00Z",
        ),
    ],
)
def test_the_words_tell_what_a_verdict_decides(action, after, words):
    rollout = replace(ANALYSED, analysis=Analysis(on_inconclusive=action))

    found = move(rollout, seen(held(50), 2, after, verdict=Verdict.INCONCLUSIVE))

    assert found.next == f"promoted {words}"
