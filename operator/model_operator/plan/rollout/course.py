"""Where a change of revision stands, read from what is observed, and its next step."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from model_operator.domain import conditions
from model_operator.domain.conditions import ConditionType
from model_operator.domain.evidence.stage import State
from model_operator.domain.manifests import Manifest
from model_operator.domain.placement import packing
from model_operator.domain.placement.capacity import (
    Demand,
    demand_of,
    fits,
    lacks,
    supply_for,
)
from model_operator.domain.placement.topology import topology_of
from model_operator.domain.seen.gangs import members
from model_operator.domain.seen.observed import Observed
from model_operator.domain.seen.troubles import UNSCHEDULABLE
from model_operator.domain.wish.revision import Revision
from model_operator.domain.wish.spec import ModelDeployment
from model_operator.plan.rollout.change import Change, Phase, Pods, Room, Step, advance
from model_operator.plan.rollout.choice import Choice
from model_operator.plan.rollout.memory import Kept
from model_operator.plan.rollout.move import Move

# A replica that is not ready for this long is no longer waited for where it is in the way.
DEAD_AFTER = timedelta(seconds=60)


@dataclass(frozen=True)
class Course:
    """A choice and the replicas that go with it.

    `step` is None where nothing changes over, `move` where nothing goes by steps of weight. `kept`
    are former revisions, and until when their pods stay. `stand_in` is another revision, which gets
    the requests and keeps its pods while neither one of the choice has a ready replica.
    """

    choice: Choice
    replicas: int
    step: Step | None = None
    move: Move | None = None
    kept: Mapping[str, Kept] = field(default_factory=dict)
    stand_in: str | None = None

    @property
    def is_given_up(self) -> bool:
        if self.move is not None:
            return self.move.state is State.ABORTED
        return self.step is not None and self.step.phase is Phase.GIVEN_UP

    @property
    def in_use(self) -> frozenset[str]:
        """The revisions whose workloads are as this course says."""
        has_pods = not self.is_given_up or (self.move is not None and self.move.candidate > 0)
        return self.choice.in_use if has_pods else frozenset({self.choice.serving})

    @property
    def left_alone(self) -> frozenset[str]:
        """The revisions that are not in use and keep their pods as they are."""
        return frozenset(self.kept) | ({self.stand_in} if self.stand_in else frozenset())

    @property
    def weights(self) -> dict[str, int]:
        """The percentage of requests for each revision that has pods."""
        found = dict.fromkeys((*self.left_alone, *self.in_use), 0)
        if self.stand_in is not None:
            return found | {self.stand_in: 100}
        found[self.choice.serving] = 100
        if self.move is not None and not self.choice.is_promoted and self.move.share:
            found[self.choice.serving] = 100 - self.move.share
            found[self.choice.wanted.name] = self.move.share
        return found

    def replicas_of(self, revision: str) -> int:
        if self.choice.is_promoted:
            return self.replicas
        is_wanted = revision == self.choice.wanted.name
        if self.move is not None:
            return self.move.candidate if is_wanted else self.move.stable
        if self.step is None:
            return self.replicas
        return self.step.new if is_wanted else self.step.old


@dataclass(frozen=True)
class Clock:
    """The time, and since when the wanted revision is on its way."""

    now: datetime
    since: datetime


def clock_of(observed: Observed, choice: Choice, now: datetime, is_suspended: bool) -> Clock:
    """Since when the wanted revision is on its way, or its replicas are too few."""
    paused = conditions.find(observed.status, ConditionType.PAUSED)
    was_suspended = paused is not None and paused["reason"] == conditions.SUSPENDED
    if was_suspended and not is_suspended:
        return Clock(now, now)  # no time was given to it meanwhile
    candidate = observed.status.get("candidate") or {}
    if candidate.get("revision") == choice.wanted.name and candidate.get("since"):
        return Clock(now, conditions.moment(candidate["since"]))
    ready = conditions.find(observed.status, ConditionType.READY)
    if choice.is_promoted and ready and ready["status"] == "False":
        return Clock(now, conditions.moment(ready["lastTransitionTime"]))
    return Clock(now, now)


def course_of(
    deployment: ModelDeployment, observed: Observed, choice: Choice, clock: Clock
) -> Course:
    """The choice with its next step, if there is an old revision to take over from."""
    workloads = observed.workloads()
    if choice.is_promoted or choice.serving == choice.wanted.name or deployment.suspend:
        return Course(choice, deployment.replicas)
    if choice.serving not in workloads:
        return Course(choice, deployment.replicas)
    old = pods_of(observed, choice.serving)
    change = Change(
        strategy=deployment.rollout.strategy,
        replicas=deployment.replicas,
        old=old,
        new=pods_of(observed, choice.wanted.name),
        room=room_for(deployment, observed, choice, clock.now),
        is_dead=old.ready == 0 and _is_dead(observed.status, clock.now),
        is_over=_is_over(deployment, observed, choice, clock),
    )
    return Course(choice, deployment.replicas, advance(change))


def pods_of(observed: Observed, revision: str) -> Pods:
    """The counts of a revision's pods; none where it has no workload."""
    workload = observed.workloads().get(revision)
    if workload is None:
        return Pods(0, 0, 0)
    # Counts of the workload and the pods that are seen may be of different moments.
    placed = max(observed.placed(revision), workload.ready)
    return Pods(workload.replicas, placed, workload.ready)


def was_given_up(status: Manifest, revision: str) -> bool:
    """True when the status remembers that a change to this revision was given up."""
    known = status.get("revisions") or ()
    return any(item["name"] == revision and item.get("aborted") for item in known)


def dead_at(status: Manifest) -> datetime | None:
    """When nothing has answered for too long; None while something does."""
    available = conditions.find(status, ConditionType.AVAILABLE)
    if available is None or available["status"] == "True":
        return None
    return conditions.moment(available["lastTransitionTime"]) + DEAD_AFTER


def _is_dead(status: Manifest, now: datetime) -> bool:
    moment = dead_at(status)
    return moment is not None and now >= moment


def _is_over(deployment: ModelDeployment, observed: Observed, choice: Choice, clock: Clock) -> bool:
    """Late, and there is something to go back to. What was given up stays so, come what may."""
    if clock.now < clock.since + deployment.rollout.deadline:
        return False
    if was_given_up(observed.status, choice.wanted.name):
        return True
    return observed.workloads()[choice.serving].ready > 0


def room_for(
    deployment: ModelDeployment, observed: Observed, choice: Choice, now: datetime
) -> Room:
    """Whether the wanted revision's pods find accelerators, and get such that old pods hold."""
    is_clearing = any(pod.is_leaving(now) for pod in observed.pods)
    old = next((item for item in observed.revisions() if item.name == choice.serving), None)
    demand = demand_of(choice.wanted.template)
    held = demand_of(old.template) if old else None
    if demand is None or old is None or held is None or held.resource != demand.resource:
        return Room(False, is_clearing)
    is_short = _is_short(observed, choice.wanted, demand)
    if observed.inventory is not None:
        return Room(is_short and _holds_what_fits(observed, choice.serving, demand), is_clearing)
    # Without a look at the nodes: what was given up before must have been taken up.
    given = deployment.replicas - observed.workloads()[choice.serving].replicas
    taken = pods_of(observed, choice.wanted.name).placed
    of_one, of_old = demand.count * (choice.wanted.shards or 1), held.count * (old.shards or 1)
    return Room(is_short and given * of_old < (taken + 1) * of_one, is_clearing)


def _is_short(observed: Observed, wanted: Revision, demand: Demand) -> bool:
    """Groups wait at their gates and there is room for none, or the scheduler finds none."""
    topology, groups = topology_of(wanted.template), observed.groups_of(wanted.name)
    gated = [wish for group in groups if (wish := members(group, demand, topology))]
    if not gated:
        return _is_short_of_nodes(observed, wanted.name, demand)
    inventory = packing.settled(observed.inventory) if observed.inventory else None
    return inventory is not None and not any(
        packing.room_for(wish, inventory).pods >= wish.count for wish in gated
    )


def _is_short_of_nodes(observed: Observed, wanted: str, demand: Demand) -> bool:
    """A pod waits for accelerators by the scheduler's words, and the nodes have none free.

    Of a group all that wait need some, or those that have some hold them for nothing.
    """
    waiting = Counter(
        pod.group
        for pod in observed.pods_of(wanted)
        if pod.trouble
        and pod.trouble.reason == UNSCHEDULABLE
        and lacks(demand.resource, pod.trouble.message)
    )
    if not waiting:
        return False
    least = min(1 if not group else members for group, members in waiting.items())
    # The scheduler's words may be some seconds old: it comes back to a pod that found no room.
    return observed.inventory is None or supply_for(demand, observed.inventory).pods < least


def _holds_what_fits(observed: Observed, old: str, demand: Demand) -> bool:
    """Whether an old pod is on a node that the new ones could use."""
    inventory = observed.inventory
    nodes = {node.name for node in inventory.nodes if fits(demand, node)} if inventory else set()
    return any(pod.node in nodes for pod in observed.pods_of(old))
