"""A rollout's next move: from what is remembered and seen to weights, replicas and words."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from model_operator.domain.conditions import timestamp
from model_operator.domain.evidence.judgement import Judgement
from model_operator.domain.evidence.stage import Abort, Stage, State, Verdict
from model_operator.domain.wish.analysis import OnInconclusive
from model_operator.domain.wish.rollout import Rollout, Strategy, TrafficStep
from model_operator.plan.rollout.change import Pods, Room
from model_operator.plan.rollout.copies import Copies


@dataclass(frozen=True)
class Orders:
    """What users ask of this candidate now, and have not asked before.

    `promotes_past` is the number of the last step that it need not stay at; 0 means none.
    """

    aborts: bool = False
    retries: bool = False
    promotes_past: int = 0


@dataclass(frozen=True)
class Seen:
    """What a move is made from.

    `stage` is None for a candidate that was not there before. `judgement` is None where nothing is
    analysed. `is_known_good` means that the candidate has served before and needs no steps.
    `room` is that for its pods.
    """

    replicas: int
    stable: Pods
    candidate: Pods
    now: datetime
    stage: Stage | None = None
    judgement: Judgement | None = None
    orders: Orders = Orders()
    is_known_good: bool = False
    room: Room = field(default_factory=Room)

    @property
    def verdict(self) -> Verdict | None:
        return self.judgement.verdict if self.judgement else None


@dataclass(frozen=True)
class Move:
    """What is to be: the candidate's share, both revisions' replicas, and what comes next.

    `share` is the percentage of requests that the candidate gets, the rest is the stable one's.
    `again_at` is when to look again though nothing happens. `judgement` is what it was made by.
    """

    state: State
    stage: Stage
    share: int
    stable: int
    candidate: int
    next: str
    again_at: datetime | None = None
    judgement: Judgement | None = None


def move(rollout: Rollout, seen: Seen) -> Move:
    """The next move. It never takes a revision's last ready replica while no other has one."""
    stage = _ordered(rollout, seen)
    stage = _resumed(rollout, _found_again(rollout, seen, stage), seen.now)
    if stage.abort is None:
        stage = _judged(rollout, seen, _promoted_past(rollout, seen, stage))
    if stage.abort is not None:
        return _turned_away(rollout, seen, stage, stage.abort)
    stage = _weighed(rollout, seen, stage)
    if stage.weight == 100:
        done = "all requests go to it; nothing is left to do"
        return Move(State.PROMOTED, stage, 100, seen.stable.asked, seen.replicas, done)
    return _under_way(rollout, seen, _making_room(rollout, seen, _passed(rollout, seen, stage)))


def _levels(rollout: Rollout) -> list[TrafficStep]:
    """All steps; the last one gives everything."""
    return [*rollout.steps, TrafficStep(100)]


def _step(rollout: Rollout, stage: Stage) -> TrafficStep:
    return next(step for step in _levels(rollout) if step.weight == stage.target)


def _ordered(rollout: Rollout, seen: Seen) -> Stage:
    """The remembered stage, a new one for a new candidate, or what abort and retry make of it."""
    first = 100 if seen.is_known_good else _levels(rollout)[0].weight
    stage = seen.stage or Stage(first, seen.now)
    if seen.orders.aborts and stage.abort is None:
        return _with_abort(stage, seen.now, "Aborted", "a user aborted it")
    if stage.abort is not None and seen.orders.retries and not seen.orders.aborts:
        return Stage(first, seen.now)
    return stage


def _found_again(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    """The same place in a list of steps that was edited: the last one that asks for no more."""
    weights = [step.weight for step in _levels(rollout)]
    if stage.target in weights:
        return stage
    lower = [weight for weight in weights if weight < stage.target]
    return _at_step(stage, max(lower, default=weights[0]), seen.now)


def _at_step(stage: Stage, weight: int, now: datetime) -> Stage:
    return replace(stage, target=weight, since=now, held_since=None, is_halted=False)


def _resumed(rollout: Rollout, stage: Stage, now: datetime) -> Stage:
    """What is paused loses no time of its deadline."""
    if rollout.is_paused:
        return replace(stage, paused_since=stage.paused_since or now)
    if stage.paused_since is None:
        return stage
    return replace(stage, paused_since=None, since=stage.since + (now - stage.paused_since))


def _promoted_past(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    levels = _levels(rollout)
    reached = levels[min(seen.orders.promotes_past, len(levels) - 1)].weight
    if seen.orders.promotes_past == 0 or reached <= stage.target:
        return stage
    return _at_step(stage, reached, seen.now)


def _judged(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    """Turned away for bad verdicts, or for taking too long while there is a way back."""
    if seen.judgement and seen.verdict is Verdict.FAIL and stage.weight > 0:
        stage = replace(stage, bad_verdicts=stage.bad_verdicts + 1)
        if stage.bad_verdicts >= (rollout.analysis.failure_limit if rollout.analysis else 1):
            failed = f"it failed at {stage.weight} %: {seen.judgement.message}"
            return _with_abort(stage, seen.now, "AnalysisFailed", failed)
    deadline = _deadline(rollout, stage)
    if deadline is None or seen.now < deadline or seen.stable.ready == 0:
        return stage
    if _lacks_verdict(rollout, seen, stage):
        return _without_verdict(rollout, seen, stage)
    is_carried = _copies(rollout, seen, stage).carries(stage.target)
    if is_carried and not _is_awaited(rollout, seen, stage):
        return stage
    seconds = int(rollout.deadline.total_seconds())
    late = f"it did not get past {stage.target} % within {seconds} s"
    return _with_abort(stage, seen.now, "ProgressDeadlineExceeded", late)


def _lacks_verdict(rollout: Rollout, seen: Seen, stage: Stage) -> bool:
    """Whether the step had its weight for its time, and nobody knows yet what that has shown."""
    if stage.held_since is None or stage.target == 100 or rollout.analysis is None:
        return False
    is_over = seen.now >= stage.held_since + _step(rollout, stage).hold
    return is_over and seen.verdict is not Verdict.PASS


def _without_verdict(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    """What becomes of a step at its deadline of which too little is known."""
    action = rollout.analysis.on_inconclusive if rollout.analysis else OnInconclusive.WAIT
    if action is OnInconclusive.ABORT:
        seconds, known = int(rollout.deadline.total_seconds()), seen.judgement
        late = f"it had no verdict at {stage.target} % within {seconds} s"
        words = f"{late}: {known.message}" if known else late
        return _with_abort(stage, seen.now, "AnalysisInconclusive", words)
    if action is OnInconclusive.PAUSE:
        stage = replace(stage, is_halted=True)
    if _copies(rollout, seen, stage).carries(stage.target):
        return stage
    # Pods that it has lost since then have the whole deadline to come back.
    return replace(stage, since=seen.now - _step(rollout, stage).hold)


def _with_abort(stage: Stage, now: datetime, reason: str, message: str) -> Stage:
    return replace(stage, weight=0, held_since=None, abort=Abort(reason, message, now))


def _deadline(rollout: Rollout, stage: Stage) -> datetime | None:
    """When the step must be over; None while a user takes the time."""
    step = _step(rollout, stage)
    if rollout.is_paused or (_is_users(rollout, stage) and stage.held_since):
        return None
    return stage.since + step.hold + rollout.deadline


def _is_users(rollout: Rollout, stage: Stage) -> bool:
    """Whether a user says when the step is over."""
    analysis = rollout.analysis
    halts = analysis is not None and analysis.on_inconclusive is OnInconclusive.PAUSE
    return _step(rollout, stage).pauses or (stage.is_halted and halts)


def _weighed(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    """The weight that ready pods carry: all of the step's, or that of a step before it."""
    if seen.candidate.ready == 0:
        is_begun = stage.held_since is not None and _is_users(rollout, stage)
        since = seen.now if is_begun else stage.since
        return replace(stage, weight=0, held_since=None, since=since)
    levels = (step.weight for step in _levels(rollout) if step.weight <= stage.target)
    copies = _copies(rollout, seen, stage)
    carried = max((weight for weight in levels if copies.carries(weight)), default=0)
    weight = min(carried, stage.weight) if rollout.is_paused else carried
    if stage.held_since is None and weight == stage.target:
        # From now on other requests are counted: bad verdicts are of the step before.
        return replace(stage, weight=weight, held_since=seen.now, bad_verdicts=0)
    return replace(stage, weight=weight)


def _is_awaited(rollout: Rollout, seen: Seen, stage: Stage) -> bool:
    """Whether the step, whose weight is in force, is to go on: for its time or its verdict."""
    step = _step(rollout, stage)
    if stage.held_since is None or _is_users(rollout, stage) or rollout.is_paused:
        return True
    if seen.now < stage.held_since + step.hold:
        return True
    return rollout.analysis is not None and stage.target < 100 and not _has_passed(seen, stage)


def _has_passed(seen: Seen, stage: Stage) -> bool:
    """Whether it has passed at this very weight, which was in force when this move began."""
    before = seen.stage
    if before is None or before.held_since is None or before.target != stage.target:
        return False
    return before.weight == stage.target and seen.verdict is Verdict.PASS


def _passed(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    """On to the next step if nothing of this one is left to wait for."""
    if stage.weight < stage.target or _is_awaited(rollout, seen, stage):
        return stage
    following = next(step for step in _levels(rollout) if step.weight > stage.target)
    return _at_step(stage, following.weight, seen.now)


def _copies(rollout: Rollout, seen: Seen, stage: Stage) -> Copies:
    # A user may choose another strategy in the midst: then all pods come before all requests.
    given = stage.given if rollout.strategy is Strategy.AUTO else 0
    return Copies(rollout.strategy, seen.replicas, seen.stable, seen.candidate, seen.room, given)


def _making_room(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    """With what the stable revision gives up for the candidate from now on."""
    given = _copies(rollout, seen, stage).given_next(stage.target)
    return replace(stage, given=min(given, stage.given) if rollout.is_paused else given)


def _under_way(rollout: Rollout, seen: Seen, stage: Stage) -> Move:
    is_held = stage.weight == stage.target
    state = State.HOLDING if is_held else State.WAITING
    if rollout.is_paused or (_is_users(rollout, stage) and is_held):
        state = State.PAUSED
    stable, candidate = _copies(rollout, seen, stage).shared(stage.target)
    return Move(
        state,
        stage,
        _share(seen, stage),
        stable,
        candidate,
        _words(rollout, seen, stage),
        _again_at(rollout, seen, stage),
    )


def _share(seen: Seen, stage: Stage) -> int:
    """What serves is used while the stable revision has nothing to serve with."""
    if seen.stable.ready == 0 and seen.candidate.ready > 0:
        return 100
    return 0 if stage.abort else stage.weight


def _turned_away(rollout: Rollout, seen: Seen, stage: Stage, abort: Abort) -> Move:
    gone_at = abort.at + rollout.abort_keep
    # What answers is kept while the stable revision does not; a look is not worth accelerators
    # that this one gave up.
    is_alone = seen.stable.ready == 0 and seen.candidate.ready > 0
    is_kept = is_alone or (seen.now < gone_at and not stage.given)
    return Move(
        State.ABORTED,
        stage,
        _share(seen, stage),
        seen.replicas,
        seen.candidate.asked if is_kept else 0,
        "change spec, or set modelfleet.dev/retry to try it again",
        gone_at if seen.now < gone_at else None,
    )


def _again_at(rollout: Rollout, seen: Seen, stage: Stage) -> datetime | None:
    moments = [_deadline(rollout, stage)]
    if stage.held_since and not rollout.is_paused:
        moments.append(stage.held_since + _step(rollout, stage).hold)
    coming = [moment for moment in moments if moment and moment > seen.now]
    return min(coming, default=None)


def _words(rollout: Rollout, seen: Seen, stage: Stage) -> str:
    step = _step(rollout, stage)
    if rollout.is_paused:
        return f"paused at {stage.weight} % until spec.rollout.paused is false"
    deadline = _deadline(rollout, stage)
    limit = f"; aborted if not by {timestamp(deadline)}" if deadline else ""
    if stage.weight < stage.target:
        wanted = _copies(rollout, seen, stage).wanted(stage.target)
        pods = "replica" if wanted == 1 else "replicas"
        return f"{stage.target} % when it has {wanted} ready {pods}{limit}"
    following = next(item for item in _levels(rollout) if item.weight > stage.target)
    then = f"{following.weight} %" if following.weight < 100 else "promoted"
    if _is_users(rollout, stage):
        return f"{then} when modelfleet.dev/promote names it"
    ends = (stage.held_since or seen.now) + step.hold
    if seen.now < ends:
        proven = " if its analysis passes by then" if rollout.analysis else ""
        return f"{then} at {timestamp(ends)}{proven}"
    return f"{then} when its analysis passes{_without_one(rollout, deadline)}"


def _without_one(rollout: Rollout, deadline: datetime | None) -> str:
    """What happens if there is no verdict in time."""
    if deadline is None or rollout.analysis is None:
        return ""
    match rollout.analysis.on_inconclusive:
        case OnInconclusive.ABORT:
            return f"; aborted if not by {timestamp(deadline)}"
        case OnInconclusive.PAUSE:
            return f"; paused if not by {timestamp(deadline)}"
        case OnInconclusive.WAIT:
            return ""
