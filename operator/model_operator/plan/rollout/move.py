"""A rollout's next move: from what is remembered and seen to weights, replicas and words."""

from dataclasses import dataclass, replace
from datetime import datetime

from model_operator.domain.conditions import timestamp
from model_operator.domain.rollout import Rollout, Strategy, TrafficStep
from model_operator.domain.stage import Abort, Stage, State, Verdict
from model_operator.plan.rollout.change import Pods


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

    `stage` is None for a candidate that was not there before. `verdict` is None where nothing is
    analysed. `is_known_good` means that the candidate has served before and needs no steps.
    """

    replicas: int
    stable: Pods
    candidate: Pods
    now: datetime
    stage: Stage | None = None
    verdict: Verdict | None = None
    orders: Orders = Orders()
    is_known_good: bool = False


@dataclass(frozen=True)
class Move:
    """What is to be: the candidate's share, both revisions' replicas, and what comes next.

    `share` is the percentage of requests that the candidate gets, the rest is the stable one's.
    `again_at` is when to look again though nothing happens.
    """

    state: State
    stage: Stage
    share: int
    stable: int
    candidate: int
    next: str
    again_at: datetime | None = None


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
    return _under_way(rollout, seen, _passed(rollout, seen, stage))


def pods_for(weight: int, replicas: int) -> int:
    """The replicas that carry this percentage of the requests that `replicas` carry; at least 1."""
    return max(1, -(-replicas * weight // 100))


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
    return replace(stage, target=max(lower, default=weights[0]), since=seen.now, held_since=None)


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
    return replace(stage, target=reached, since=seen.now, held_since=None)


def _judged(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    """Turned away for a bad verdict, or for taking too long while there is a way back."""
    if seen.verdict is Verdict.FAIL and stage.weight > 0:
        return _with_abort(stage, seen.now, "AnalysisFailed", f"it failed at {stage.weight} %")
    deadline = _deadline(rollout, stage)
    if deadline is None or seen.now < deadline or seen.stable.ready == 0:
        return stage
    if _carries(rollout, seen, stage.target) and not _is_awaited(rollout, seen, stage):
        return stage
    seconds = int(rollout.deadline.total_seconds())
    late = f"it did not get past {stage.target} % within {seconds} s"
    return _with_abort(stage, seen.now, "ProgressDeadlineExceeded", late)


def _with_abort(stage: Stage, now: datetime, reason: str, message: str) -> Stage:
    return replace(stage, weight=0, held_since=None, abort=Abort(reason, message, now))


def _deadline(rollout: Rollout, stage: Stage) -> datetime | None:
    """When the step must be over; None while a user takes the time."""
    step = _step(rollout, stage)
    if rollout.is_paused or (step.pauses and stage.held_since):
        return None
    return stage.since + step.hold + rollout.deadline


def _carries(rollout: Rollout, seen: Seen, weight: int) -> bool:
    """Whether the candidate's ready pods can carry that weight."""
    return seen.candidate.ready >= _most(rollout, seen, weight)


def _most(rollout: Rollout, seen: Seen, weight: int) -> int:
    """The replicas that the candidate has for a weight before it is promoted."""
    wanted = pods_for(weight, seen.replicas)
    if rollout.strategy is not Strategy.DRAIN_FIRST:
        return wanted
    # One replica of the stable revision stays until then, and there is no room beside it.
    return max(1, min(wanted, seen.replicas - 1))


def _weighed(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    """The weight that ready pods carry: all of the step's, or that of a step before it."""
    if seen.candidate.ready == 0:
        is_begun = stage.held_since is not None and _step(rollout, stage).pauses
        since = seen.now if is_begun else stage.since
        return replace(stage, weight=0, held_since=None, since=since)
    levels = (step.weight for step in _levels(rollout) if step.weight <= stage.target)
    carried = max((weight for weight in levels if _carries(rollout, seen, weight)), default=0)
    weight = min(carried, stage.weight) if rollout.is_paused else carried
    held = stage.held_since or (seen.now if weight == stage.target else None)
    return replace(stage, weight=weight, held_since=held)


def _is_awaited(rollout: Rollout, seen: Seen, stage: Stage) -> bool:
    """Whether the step, whose weight is in force, is to go on: for its time or its verdict."""
    step = _step(rollout, stage)
    if stage.held_since is None or step.pauses or rollout.is_paused:
        return True
    is_good = seen.verdict in {None, Verdict.PASS} or stage.target == 100
    return seen.now < stage.held_since + step.hold or not is_good


def _passed(rollout: Rollout, seen: Seen, stage: Stage) -> Stage:
    """On to the next step if nothing of this one is left to wait for."""
    if stage.weight < stage.target or _is_awaited(rollout, seen, stage):
        return stage
    following = next(step for step in _levels(rollout) if step.weight > stage.target)
    return replace(stage, target=following.weight, since=seen.now, held_since=None)


def _under_way(rollout: Rollout, seen: Seen, stage: Stage) -> Move:
    step = _step(rollout, stage)
    is_held = stage.weight == stage.target
    state = State.HOLDING if is_held else State.WAITING
    if rollout.is_paused or (step.pauses and is_held):
        state = State.PAUSED
    stable, candidate = _replicas(rollout, seen, stage)
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


def _replicas(rollout: Rollout, seen: Seen, stage: Stage) -> tuple[int, int]:
    """The stable one keeps all of its pods, or gives up one for each of the candidate's."""
    wanted = _most(rollout, seen, stage.target)
    if rollout.strategy is not Strategy.DRAIN_FIRST or seen.replicas == 1:
        return seen.replicas, wanted
    asked = min(seen.candidate.asked, wanted)
    if seen.candidate.ready >= asked:
        asked = min(wanted, asked + 1)
    return seen.replicas - asked, asked


def _turned_away(rollout: Rollout, seen: Seen, stage: Stage, abort: Abort) -> Move:
    gone_at = abort.at + rollout.abort_keep
    # What answers is kept while the stable revision does not.
    is_kept = seen.now < gone_at or (seen.stable.ready == 0 and seen.candidate.ready > 0)
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
        wanted = _most(rollout, seen, stage.target)
        pods = "replica" if wanted == 1 else "replicas"
        return f"{stage.target} % when it has {wanted} ready {pods}{limit}"
    following = next(item for item in _levels(rollout) if item.weight > stage.target)
    then = f"{following.weight} %" if following.weight < 100 else "promoted"
    if step.pauses:
        return f"{then} when modelfleet.dev/promote names it"
    ends = (stage.held_since or seen.now) + step.hold
    if seen.now < ends:
        proven = " if its analysis passes by then" if seen.verdict else ""
        return f"{then} at {timestamp(ends)}{proven}"
    return f"{then} when its analysis passes{limit}"
