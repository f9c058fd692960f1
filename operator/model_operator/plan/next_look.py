"""When to look again though nothing happens."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from model_operator.domain.seen.pods import STUCK_AFTER
from model_operator.plan.arms.tracks import Tracks
from model_operator.plan.groups.gated import gates_due
from model_operator.plan.rollout.course import dead_at
from model_operator.plan.status.causes import waits_for_node
from model_operator.plan.status.situation import Situation

# A server that runs but is not ready is asked why: often while it starts, seldom when it is stuck.
_ASK_AGAIN = timedelta(seconds=5)
_ASK_STUCK_AGAIN = timedelta(seconds=60)
# Routers follow within a second.
_ASK_ROUTERS_AGAIN = timedelta(seconds=2)
# Nothing tells that accelerators of other pods became free, except that ours get a node.
_COUNT_AGAIN = timedelta(seconds=30)
# How the requests are shared between revisions, nobody tells without being asked.
_COUNT_REQUESTS_AGAIN = timedelta(seconds=30)


def next_look(tracks: Tracks, situations: Sequence[Situation]) -> datetime | None:
    """The first moment at which something is due for the main model, an arm, or one that goes."""
    if tracks.main.deployment.suspend:
        return None
    moments = [kept.until for gone in tracks.gone for kept in gone.kept.values()]
    moments += [due for situation in situations if (due := _due(situation))]
    for track, situation in zip(tracks.all, situations, strict=True):
        if due := gates_due([track], track.clock.now, situation.is_late):
            moments.append(due)
    return min(moments, default=None)


def _due(situation: Situation) -> datetime | None:
    """When something is due: of the change, or of revisions that are kept for a while."""
    kept = (kept.until for kept in situation.course.kept.values())
    moments = [_change_due(situation), min(kept, default=None)]
    if situation.observed.routing and situation.observed.routing.told:
        moments.append(situation.clock.now + _COUNT_REQUESTS_AGAIN)
    if situation.observed.routing and not situation.is_programmed:
        pause = _ASK_STUCK_AGAIN if situation.is_complete else _ASK_ROUTERS_AGAIN
        moments.append(situation.clock.now + pause)
    return min((moment for moment in moments if moment), default=None)


def _change_due(situation: Situation) -> datetime | None:
    if made := situation.course.move:
        asks = _asks_again(situation)
        return min((at for at in (made.again_at, asks) if at), default=None)
    if situation.is_complete or situation.deployment.suspend or situation.course.is_given_up:
        return None
    if situation.is_late or situation.observed.foreign:
        return situation.clock.now + _ASK_STUCK_AGAIN
    deadline = situation.deadline
    dead = dead_at(situation.observed.status) if situation.course.step else None
    if dead is not None and situation.clock.now < dead < deadline:
        deadline = dead
    asks = _asks_again(situation)
    return min(deadline, asks) if asks else deadline


def _asks_again(situation: Situation) -> datetime | None:
    """When to ask anew what the wanted revision waits for."""
    if waits_for_node(situation):
        return situation.clock.now + _COUNT_AGAIN
    wanted = situation.choice.wanted.name
    if any(not group.has_all_pods for group in situation.observed.groups_of(wanted)):
        # Why they are not created, nothing tells without being asked.
        return situation.clock.now + _ASK_AGAIN
    pods = situation.observed.pods_of(wanted)
    if any(pod.waits_since for pod in pods):
        return situation.clock.now + STUCK_AFTER
    if any(pod.is_running and not pod.is_ready for pod in pods):
        return situation.clock.now + _ASK_AGAIN
    return None
