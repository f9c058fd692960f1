"""Which groups of a revision stay, and which are made."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count, islice

from model_operator.domain import names
from model_operator.domain.seen.gangs import is_stranded
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
        name: standing(observed, name, course.replicas_of(name), Rules(recovery, track.clock.now))
        for name in sorted(course.in_use & known.keys())
        if known[name].shards is not None
    }


@dataclass(frozen=True)
class Rules:
    """What decides whether a group may stay: how it recovers, and the time."""

    recovery: Recovery
    now: datetime

    def lets_stay(self, group: Group) -> bool:
        """False for one that is to begin anew.

        Either it lost a member and recovers as a whole, or nodes were found for some only.
        """
        is_broken = self.recovery is Recovery.WHOLE_GROUP and group.has_lost_member
        return not is_broken and not is_stranded(group, self.now)


def standing(observed: Observed, revision: str, wanted: int, rules: Rules) -> tuple[str, ...]:
    """The names of `wanted` groups: of those that are there the best ones, then new ones.

    As long as one is wanted, a whole one stays. One that is to begin anew makes room for another,
    once for each loss.
    """
    there = [group for group in observed.groups_of(revision) if rules.lets_stay(group)]
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
