"""What a status is written from: what was seen, what was decided, and what follows at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from model_operator.domain.seen.observed import Observed
from model_operator.domain.seen.workloads import Workload
from model_operator.domain.wish.revision import Revision
from model_operator.domain.wish.spec import ModelDeployment
from model_operator.plan.arms.tracks import Tracks
from model_operator.plan.rollout.choice import Choice
from model_operator.plan.rollout.course import Clock, Course
from model_operator.plan.rollout.wish import Wish

_OF_GROUPS = {"replica": "group", "ready replica": "whole group"}


@dataclass(frozen=True)
class Situation:
    """What a status is written from.

    A status is written after the objects of its pass: it tells of them as applied. `is_routed`
    means that the Service leads where it should, or does when this pass is carried out. `shares`
    are the percentages of all requests, of this model and of the others.
    """

    deployment: ModelDeployment
    observed: Observed
    course: Course
    is_routed: bool
    clock: Clock
    wish: Wish
    shares: Mapping[str, int]

    @property
    def choice(self) -> Choice:
        return self.course.choice

    def revisions(self) -> dict[str, Revision]:
        """The remembered revisions and the wanted one, by name."""
        known = (*self.observed.revisions(), self.choice.wanted)
        return {revision.name: revision for revision in known}

    def workloads(self) -> dict[str, Workload]:
        """The workloads in use, seen or about to be made; idle ones are about to go."""
        seen = self.observed.workloads()
        if self.deployment.suspend:
            return seen
        coming = {
            name: Workload(name, self.course.replicas_of(name), 0, is_current=False, trouble=None)
            for name in self.course.in_use
        }
        kept = {name: seen[name] for name in self.course.left_alone}
        return kept | {name: seen.get(name, workload) for name, workload in coming.items()}

    @property
    def answering(self) -> str | None:
        """The revision that requests reach and that has a replica ready for them."""
        if self.deployment.suspend or not self.is_routed:
            return self.observed.answering()
        if not self.observed.has_way:
            return None
        workloads, shares = self.workloads(), self.shares
        reached = [name for name in workloads if shares.get(name) and workloads[name].ready > 0]
        serving = self.choice.serving
        return serving if serving in reached else min(reached, default=None)

    @property
    def is_programmed(self) -> bool:
        """True when all routers are known to do what is wanted."""
        routing = self.observed.routing
        return routing is not None and routing.programmed == self.shares

    @property
    def has_all_replicas(self) -> bool:
        workload = self.observed.workloads().get(self.choice.wanted.name)
        wanted = self.deployment.replicas
        return workload is not None and workload.is_current and workload.ready >= wanted

    @property
    def is_complete(self) -> bool:
        is_there = self.choice.is_promoted and self.is_routed and self.has_all_replicas
        return is_there and self.has_all_requests

    @property
    def has_all_requests(self) -> bool:
        """False when routers are known not to send all requests where they should go."""
        routing = self.observed.routing
        if routing is None or not self.observed.is_through_router:
            return True
        return routing.holds_to(self.shares)

    @property
    def deadline(self) -> datetime:
        """When what is not ready will not get there by itself."""
        return self.clock.since + self.deployment.rollout.deadline

    @property
    def is_late(self) -> bool:
        if self.course.move is not None:
            return self.course.is_given_up
        return self.clock.now >= self.deadline

    def in_words(self, noun: str = "replica") -> str:
        """How many are wanted: `1 replica`, `2 replicas`, or groups of a model that is divided."""
        wanted = self.deployment.replicas
        noun = _OF_GROUPS[noun] if self.deployment.sharding else noun
        return f"{wanted} {noun}" if wanted == 1 else f"{wanted} {noun}s"


def situations_of(tracks: Tracks, is_routed: bool) -> tuple[Situation, ...]:
    """Of the main model, and of the arms in their order."""
    shares = tracks.weights
    return tuple(
        Situation(
            track.deployment,
            track.observed,
            track.course,
            is_routed,
            track.clock,
            track.wish,
            shares,
        )
        for track in tracks.all
    )
