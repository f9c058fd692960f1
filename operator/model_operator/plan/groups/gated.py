"""The groups of a ModelDeployment that wait at their gates, or that a release left half way."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from model_operator.domain.seen.gangs import STRANDED_AFTER, is_stranded, stranded_at, waiting
from model_operator.domain.seen.workloads import Group
from model_operator.domain.wish.revision import Revision
from model_operator.plan.announcements import Announcement
from model_operator.plan.arms.track import Track
from model_operator.plan.groups.standing import groups_of

# Nothing tells that accelerators became free, and the scheduler does not look for who waits here.
_COUNT_AGAIN = timedelta(seconds=5)
_COUNT_LATE_AGAIN = timedelta(seconds=30)

Gated = tuple[tuple[Group, Revision], ...]


def gated_groups(tracks: Iterable[Track]) -> Gated:
    """Those that wait, with their revisions; what serves already comes before what is to."""
    return tuple(found for track in tracks for found in _of_track(track) if waiting(found[0]))


def gates_due(tracks: Iterable[Track], now: datetime, is_late: bool) -> datetime | None:
    """When to look at gates again; None where nobody waits and nobody is stranded."""
    groups = [group for track in tracks for group, _ in _of_track(track)]
    moments = [at for group in groups if (at := stranded_at(group))]
    if any(waiting(group) for group in groups):
        moments.append(now + (_COUNT_LATE_AGAIN if is_late else _COUNT_AGAIN))
    return min(moments, default=None)


def taken_back(tracks: Iterable[Track]) -> tuple[Announcement, ...]:
    """A word on each group that gives back its nodes."""
    return tuple(
        Announcement("GroupTakenBack", _words(group), is_warning=True)
        for track in tracks
        for name in groups_of(track)
        for group in track.observed.groups_of(name)
        if is_stranded(group, track.clock.now)
    )


def _of_track(track: Track) -> list[tuple[Group, Revision]]:
    known = {revision.name: revision for revision in track.observed.revisions()}
    known[track.course.choice.wanted.name] = track.course.choice.wanted
    standing = groups_of(track)
    return [
        (group, known[name])
        for name in sorted(standing, key=lambda name: (name != track.serving, name))
        for group in track.observed.groups_of(name)
        if group.name in standing[name]
    ]


def _words(group: Group) -> str:
    placed = sum(bool(pod.node) for pod in group.staying)
    seconds = int(STRANDED_AFTER.total_seconds())
    missing = next(pod for pod in group.staying if not pod.node)
    why = f" (member {missing.member}: {missing.trouble.message})" if missing.trouble else ""
    return (
        f"group {group.number}: only {placed} of {group.shards} members got nodes within "
        f"{seconds} s{why}; another group waits in its place, and holds none meanwhile"
    )
