"""Which groups of a revision stay, and which are made."""

from collections.abc import Iterator, Mapping
from itertools import count, islice

from model_operator.domain import names
from model_operator.domain.seen.observed import Observed
from model_operator.domain.seen.workloads import Group
from model_operator.domain.wish.sharding import Recovery
from model_operator.plan.arms.track import Track


def groups_of(track: Track) -> Mapping[str, tuple[str, ...]]:
    """The groups that each divided revision in use is to have, by name; others have none."""
    course, observed = track.course, track.observed
    known = {revision.name: revision for revision in observed.revisions()}
    known[course.choice.wanted.name] = course.choice.wanted
    sharding = track.deployment.sharding
    recovery = sharding.recovery if sharding else Recovery.MEMBER
    return {
        name: standing(observed, name, course.replicas_of(name), recovery)
        for name in sorted(course.in_use & known.keys())
        if known[name].shards is not None
    }


def standing(observed: Observed, revision: str, wanted: int, recovery: Recovery) -> tuple[str, ...]:
    """The names of `wanted` groups: of those that are there the best ones, then new ones.

    As long as one is wanted, a whole one stays. With WholeGroup one that has lost a member makes
    room for another, so that all members begin anew, once for each loss.
    """
    there = observed.groups_of(revision)
    if recovery is Recovery.WHOLE_GROUP:
        there = tuple(group for group in there if not group.has_lost_member)
    kept = sorted(there, key=_worth)[:wanted]
    made = islice(_unused(observed, revision), wanted - len(kept))
    return (*(group.name for group in kept), *made)


def _worth(group: Group) -> tuple[bool, int, int, int]:
    """The best first: whole ones, and others by how far they have come."""
    placed = sum(bool(pod.node) for pod in group.staying)
    return not group.is_whole, -group.ready, -placed, group.number


def _unused(observed: Observed, revision: str) -> Iterator[str]:
    """Names that no group bears, nor a pod that is left of one; the lowest numbers first."""
    taken = {key.name for key in observed.children if key.kind == "StatefulSet"}
    taken |= {pod.group for pod in observed.pods}
    candidates = (names.group_name(revision, number) for number in count())
    return (name for name in candidates if name not in taken)
