"""What every rollout keeps to, whatever its steps, pods, verdicts and users do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from model_operator.domain.evidence.judgement import Judgement
from model_operator.domain.evidence.stage import Abort, Stage, State, Verdict
from model_operator.domain.wish.analysis import Analysis, OnInconclusive
from model_operator.domain.wish.rollout import Rollout, Strategy, TrafficStep
from model_operator.plan.rollout.change import Pods, Room
from model_operator.plan.rollout.copies import pods_for
from model_operator.plan.rollout.move import Orders, Seen, move

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENDED = {State.PROMOTED, State.ABORTED}
SECONDS = st.integers(0, 900).map(lambda number: timedelta(seconds=number))
STEPS = st.lists(
    st.builds(TrafficStep, st.integers(1, 99), SECONDS, st.booleans()),
    max_size=4,
    unique_by=lambda step: step.weight,
).map(lambda steps: tuple(sorted(steps, key=lambda step: step.weight)))
ANALYSES = st.none() | st.builds(
    Analysis, failure_limit=st.integers(1, 3), on_inconclusive=st.sampled_from(OnInconclusive)
)
ROLLOUTS = st.builds(
    Rollout,
    strategy=st.sampled_from(Strategy),
    deadline=st.integers(1, 900).map(lambda number: timedelta(seconds=number)),
    steps=STEPS,
    is_paused=st.booleans(),
    analysis=ANALYSES,
)
PODS = st.builds(
    lambda asked, ready: Pods(asked, asked, min(asked, ready)), *[st.integers(0, 5)] * 2
)
MOMENTS = SECONDS.map(lambda passed: NOON + passed)
STAGES = st.none() | st.builds(
    Stage,
    target=st.integers(1, 100),
    since=MOMENTS,
    weight=st.integers(0, 99),
    held_since=st.none() | MOMENTS,
    paused_since=st.none() | MOMENTS,
    abort=st.none() | st.builds(Abort, st.just("Aborted"), st.just("by a user"), MOMENTS),
    given=st.integers(0, 5),
    bad_verdicts=st.integers(0, 2),
    is_halted=st.booleans(),
)
VERDICTS = st.none() | st.builds(Judgement, st.sampled_from(Verdict), st.just("by its numbers"))
ORDERS = st.builds(Orders, st.booleans(), st.booleans(), st.integers(0, 5))
SEEN = st.builds(
    Seen,
    replicas=st.integers(1, 5),
    stable=PODS,
    candidate=PODS,
    now=MOMENTS.map(lambda moment: moment + timedelta(minutes=15)),
    stage=STAGES,
    judgement=VERDICTS,
    orders=ORDERS,
    is_known_good=st.booleans(),
    room=st.builds(Room, st.booleans(), st.booleans()),
)


@given(ROLLOUTS, SEEN)
@settings(max_examples=400, deadline=None)
def test_requests_go_where_something_is_ready_as_long_as_anything_is(rollout, seen):
    found = move(rollout, seen)

    assert 0 <= found.share <= 100
    if found.share > 0:
        assert seen.candidate.ready > 0
    if found.share < 100 and seen.stable.ready == 0:
        assert seen.candidate.ready == 0


@given(ROLLOUTS, SEEN)
@settings(max_examples=400, deadline=None)
def test_weight_is_never_ahead_of_ready_pods(rollout, seen):
    rollout = replace(rollout, strategy=Strategy.SURGE_FIRST)

    found = move(rollout, seen)

    if seen.stable.ready > 0 and found.share > 0:
        assert seen.candidate.ready >= pods_for(found.share, seen.replicas)


@given(ROLLOUTS, SEEN)
@settings(max_examples=400, deadline=None)
def test_the_last_ready_replica_is_never_given_up(rollout, seen):
    found = move(rollout, seen)

    assert 0 <= found.candidate <= seen.replicas or found.candidate == seen.candidate.asked
    if seen.stable.ready > 0 and found.state is not State.PROMOTED:
        assert found.stable >= 1
    if found.candidate == 0:
        assert seen.candidate.ready == 0 or seen.stable.ready > 0


@given(ROLLOUTS, SEEN)
@settings(max_examples=400, deadline=None)
def test_the_stable_revision_is_kept_whole_but_for_what_the_strategy_takes(rollout, seen):
    found = move(rollout, seen)

    if found.state is State.PROMOTED:
        return
    if found.state is State.ABORTED or rollout.strategy is Strategy.SURGE_FIRST:
        assert found.stable == seen.replicas
    elif rollout.strategy is Strategy.AUTO:
        assert found.stable == max(1, seen.replicas - found.stage.given)
        before = seen.stage.given if seen.stage else 0
        assert found.stage.given <= before + (seen.room.is_short and not seen.room.is_clearing)


@given(ROLLOUTS, SEEN)
@settings(max_examples=400, deadline=None)
def test_at_one_moment_a_rollout_comes_to_rest(rollout, seen):
    found = move(rollout, seen)
    for _ in range(2 * len(rollout.steps) + 4):
        found = move(rollout, replace(seen, stage=found.stage, orders=Orders()))

    assert move(rollout, replace(seen, stage=found.stage, orders=Orders())) == found


@given(ROLLOUTS, st.integers(1, 5), st.data())
@settings(max_examples=100, deadline=None)
def test_every_rollout_ends_unless_a_user_has_it_wait(rollout, replicas, data):
    steps = tuple(replace(step, pauses=False) for step in rollout.steps)
    analysis = rollout.analysis and replace(rollout.analysis, on_inconclusive=OnInconclusive.ABORT)
    rollout = replace(rollout, steps=steps, is_paused=False, analysis=analysis)
    longest = sum((step.hold + rollout.deadline for step in steps), rollout.deadline)
    now, found = NOON, None
    candidate = Pods(0, 0, 0)
    while found is None or found.state not in ENDED:
        assert now - NOON <= longest
        stage = found.stage if found else None
        judgement = data.draw(VERDICTS)
        found = move(
            rollout, Seen(replicas, Pods(replicas, replicas, 1), candidate, now, stage, judgement)
        )
        ready = data.draw(st.integers(0, found.candidate))
        candidate = Pods(found.candidate, found.candidate, ready)
        now = min(found.again_at or now + longest, now + timedelta(minutes=5))


@given(ROLLOUTS, SEEN)
@settings(max_examples=400, deadline=None)
def test_an_analysed_candidate_gets_more_only_after_it_has_passed_or_a_user_promotes_it(
    rollout, seen
):
    rollout = replace(rollout, analysis=rollout.analysis or Analysis())
    before = seen.stage

    found = move(rollout, seen)

    is_asked = seen.orders.promotes_past or seen.orders.retries or seen.is_known_good
    is_edited = before and before.target not in {100, *(step.weight for step in rollout.steps)}
    if before and found.stage.target > before.target and not is_asked and not is_edited:
        assert seen.verdict is Verdict.PASS
        assert before.held_since and before.weight == before.target


@given(ROLLOUTS.filter(lambda rollout: rollout.steps), SEEN, st.data())
@settings(deadline=None)
def test_at_a_step_whose_weight_is_in_force_only_a_pass_leads_on(rollout, seen, data):
    rollout = replace(rollout, analysis=rollout.analysis or Analysis())
    step, held = data.draw(st.sampled_from(rollout.steps)), data.draw(MOMENTS)
    before = Stage(step.weight, held, step.weight, held)
    unproven = data.draw(VERDICTS.filter(lambda it: not it or it.verdict is not Verdict.PASS))

    found = move(rollout, replace(seen, stage=before, judgement=unproven, orders=Orders()))

    assert found.stage.target == step.weight


@given(ROLLOUTS, SEEN)
@settings(max_examples=400, deadline=None)
def test_the_last_bad_verdict_takes_everything_from_a_candidate(rollout, seen):
    before = seen.stage
    limit = rollout.analysis.failure_limit if rollout.analysis else 1
    has_weight = before and before.weight > 0 and before.abort is None
    failed = replace(seen, judgement=Judgement(Verdict.FAIL, "it is bad"), orders=Orders())

    found = move(rollout, failed)

    if has_weight and before.bad_verdicts + 1 >= limit:
        assert found.state is State.ABORTED
        assert found.share == 0 or seen.stable.ready == 0


def replay(rollout, replicas, starts_in=1):
    """A rollout whose pods are ready after some half minutes: every share it gave, in order."""
    found, shares, ready = None, [], 0
    stable = Pods(replicas, replicas, replicas)
    for passed in range(200):
        candidate = Pods(*[found.candidate] * 2, ready) if found else Pods(0, 0, 0)
        stage = found.stage if found else None
        now = NOON + timedelta(seconds=30 * passed)
        found = move(rollout, Seen(replicas, stable, candidate, now, stage))
        shares.append(found.share)
        stable = Pods(found.stable, found.stable, min(found.stable, replicas))
        ready = found.candidate if passed % starts_in == 0 else min(ready, found.candidate)
        if found.state in ENDED:
            return found.state, shares
    raise AssertionError(f"not ended: {shares}")


def test_a_canary_goes_through_its_steps_in_their_time():
    minute = timedelta(minutes=1)
    rollout = Rollout(steps=(TrafficStep(10, minute), TrafficStep(50, minute)))

    # For two half minutes it has 10 %, and then for one more, in which more pods start.
    assert replay(rollout, 4) == (State.PROMOTED, [0, 10, 10, 10, 50, 50, 50, 100])


def test_steps_without_a_time_wait_for_pods_alone():
    rollout = Rollout(steps=(TrafficStep(10), TrafficStep(50)))

    assert replay(rollout, 4) == (State.PROMOTED, [0, 10, 50, 100])


def test_a_canary_in_tight_room_is_promoted_too():
    rollout = Rollout(Strategy.DRAIN_FIRST, steps=(TrafficStep(25), TrafficStep(50)))

    state, shares = replay(rollout, 4)

    assert (state, shares[0], shares[-1]) == (State.PROMOTED, 0, 100)
    assert shares == sorted(shares)


def test_pods_that_start_too_slowly_end_a_canary_where_it_is():
    rollout = Rollout(deadline=timedelta(minutes=2), steps=(TrafficStep(10), TrafficStep(50)))

    state, shares = replay(rollout, 4, starts_in=100)

    assert (state, max(shares)) == (State.ABORTED, 10)
