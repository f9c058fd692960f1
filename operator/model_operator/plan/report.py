"""The status of a ModelDeployment: what serves, what comes, and why something waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from model_operator.domain import conditions
from model_operator.domain.conditions import Condition, ConditionType
from model_operator.domain.manifests import Manifest, ObjectKey
from model_operator.domain.observed import Observed, Workload
from model_operator.domain.spec import ModelDeployment
from model_operator.domain.troubles import PASSING, Trouble, most_telling
from model_operator.plan.change import Phase
from model_operator.plan.choice import Choice
from model_operator.plan.course import Clock, Course, was_given_up
from model_operator.plan.memory import commands_part
from model_operator.plan.orders import Wish
from model_operator.plan.shortage import lacks_node, with_counts
from model_operator.plan.stages import candidate_part, paused, traffic_part, why_not_ready
from model_operator.render.metadata import pod_selector
from model_operator.render.service import endpoints

STATUS_PARTS = frozenset(
    {
        "observedGeneration",
        "conditions",
        "stable",
        "candidate",
        "traffic",
        "next",
        "revisions",
        "replicas",
        "readyReplicas",
        "selector",
        "endpoints",
        "commands",
        "rollback",
    }
)


NO_ROUTER = "NoReadyRouter"
_NO_ROUTER_IS_READY = "no pod of the namespace's modelfleet-router is ready"


@dataclass(frozen=True)
class Situation:
    """What a status is written from.

    A status is written after the objects of its pass: it tells of them as applied. `is_routed`
    means that the Service leads where it should, or does when this pass is carried out.
    """

    deployment: ModelDeployment
    observed: Observed
    course: Course
    is_routed: bool
    clock: Clock
    wish: Wish

    @property
    def choice(self) -> Choice:
        return self.course.choice

    def workloads(self) -> dict[str, Workload]:
        """The workloads in use, seen or about to be made; idle ones are about to go."""
        seen = self.observed.workloads()
        if self.deployment.suspend:
            return seen
        coming = {
            name: Workload(name, self.course.replicas_of(name), 0, is_current=False, trouble=None)
            for name in self.course.in_use
        }
        kept = {name: seen[name] for name in self.course.kept}
        return kept | {name: seen.get(name, workload) for name, workload in coming.items()}

    @property
    def answering(self) -> str | None:
        """The revision that requests reach and that has a replica ready for them."""
        if self.deployment.suspend or not self.is_routed:
            return self.observed.answering()
        if not self.observed.has_way:
            return None
        workloads, weights = self.workloads(), self.course.weights
        reached = [name for name in weights if weights[name] > 0 and workloads[name].ready > 0]
        serving = self.choice.serving
        return serving if serving in reached else min(reached, default=None)

    @property
    def is_programmed(self) -> bool:
        """True when all routers are known to do what is wanted."""
        routing = self.observed.routing
        return routing is not None and routing.programmed == self.course.weights

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
        return routing.holds_to(self.course.weights)

    @property
    def deadline(self) -> datetime:
        """When what is not ready will not get there by itself."""
        return self.clock.since + self.deployment.rollout.deadline

    @property
    def is_late(self) -> bool:
        if self.course.move is not None:
            return self.course.is_given_up
        return self.clock.now >= self.deadline


def status(situation: Situation) -> Manifest:
    """The whole status; a part that does not apply is absent."""
    deployment, choice = situation.deployment, situation.choice
    identity = deployment.identity
    workload = situation.workloads().get(choice.serving)
    parts: Manifest = {
        "observedGeneration": identity.generation,
        "conditions": conditions.merge(
            situation.observed.status.get("conditions") or (),
            _conditions(situation),
            identity.generation,
            situation.clock.now,
        ),
        "stable": _revision_part(situation, choice.stable),
        "candidate": _candidate(situation),
        "traffic": _traffic(situation),
        "next": _next(situation),
        "revisions": _revisions(situation),
        "replicas": workload.replicas if workload else 0,
        "readyReplicas": workload.ready if workload else 0,
        "selector": _selector(identity.name, choice.serving),
        "endpoints": endpoints(identity, deployment.model.name),
    } | _orders(situation)
    return {part: value for part, value in parts.items() if value is not None}


def _orders(situation: Situation) -> Manifest:
    if situation.deployment.suspend:
        return {part: situation.observed.status.get(part) for part in ("commands", "rollback")}
    commands = commands_part(situation.deployment.commands)
    return {"commands": commands, "rollback": situation.wish.part()}


def available(revision: str | None, has_way: bool = True) -> Condition:
    """Whether any revision answers, the wanted one or not."""
    if not has_way:
        return Condition(ConditionType.AVAILABLE, False, NO_ROUTER, _NO_ROUTER_IS_READY)
    if revision is None:
        return Condition(ConditionType.AVAILABLE, False, "NoReadyReplica", "no replica is ready")
    message = f"revision {revision} answers"
    return Condition(ConditionType.AVAILABLE, True, "Answering", message)


def is_same(before: Manifest, after: Manifest) -> bool:
    """True when writing `after` changes nothing; what others wrote beside it does not count."""
    ours = {type_.value for type_ in ConditionType}
    known = [item for item in before.get("conditions") or () if item["type"] in ours]
    seen = {part: value for part, value in before.items() if part in STATUS_PARTS}
    return seen | {"conditions": known} == after


def waits_for_node(situation: Situation) -> bool:
    """True when the wanted revision waits for a node with accelerators."""
    if situation.is_complete or situation.deployment.suspend:
        return False
    return lacks_node(situation.observed, situation.choice.wanted)


def _trouble(situation: Situation, name: str) -> Trouble | None:
    """The trouble of a revision, with what the operator can add to it."""
    trouble = trouble_of(situation.observed, name)
    known = (*situation.observed.revisions(), situation.choice.wanted)
    revisions = {revision.name: revision for revision in known}
    if trouble is None or name not in revisions:
        return trouble
    return with_counts(trouble, revisions[name], situation.observed.inventory)


def without_counts(status: Manifest) -> Manifest:
    """The status without the numbers that change with each pod."""
    revisions = [
        {part: value for part, value in item.items() if part != "readyReplicas"}
        for item in status.get("revisions") or ()
    ]
    return status | {"readyReplicas": 0, "revisions": revisions}


def trouble_of(observed: Observed, revision: str) -> Trouble | None:
    """What keeps a revision from being ready, for all its pods; the most telling of it."""
    workload = observed.workloads().get(revision)
    troubles = [workload.trouble] if workload and workload.trouble else []
    for pod in observed.pods_of(revision):
        if pod.trouble and not pod.is_ready:
            troubles.append(Trouble(pod.trouble.reason, f"pod {pod.name}: {pod.trouble.message}"))
    return most_telling(troubles)


def _conditions(situation: Situation) -> list[Condition]:
    if situation.is_complete:
        ready = Condition(ConditionType.READY, True, *_success(situation))
        return [
            ready,
            available(situation.answering, situation.observed.has_way),
            *_paused(situation),
        ]
    reason, message = _obstacle(situation)
    found = [
        Condition(ConditionType.READY, False, reason, message),
        available(situation.answering, situation.observed.has_way),
    ]
    if situation.deployment.suspend:
        return [*found, *_paused(situation)]
    if situation.is_late or situation.observed.foreign:
        return [*found, Condition(ConditionType.STALLED, True, reason, message)]
    halted = paused(situation.course.move, situation.choice.wanted.version)
    return [*found, Condition(ConditionType.RECONCILING, True, reason, message), *halted]


def _success(situation: Situation) -> tuple[str, str]:
    if situation.deployment.replicas == 0:
        return "ScaledToZero", "no replica is wanted"
    version = situation.choice.wanted.version
    replicas = situation.deployment.replicas
    # Without the count: one that grows would be a write for each pod.
    return "Serving", f"version {version} serves with {_count(replicas, 'replica')}"


def _obstacle(situation: Situation) -> tuple[str, str]:
    """Why the wanted revision is not all there, in a word and a sentence."""
    if situation.observed.foreign:
        return "NameTaken", _name_taken(situation.observed.foreign)
    if situation.deployment.suspend:
        return "Suspended", "spec.suspend is true and the spec is not carried out yet"
    version = situation.choice.wanted.version
    wanted = situation.deployment.replicas
    if (made := situation.course.move) and not situation.choice.is_promoted:
        return why_not_ready(made, version, _cause(situation))
    if situation.course.is_given_up:
        return "ProgressDeadlineExceeded", _given_up(situation)
    awaited = f"version {version} waits for {_count(wanted, 'ready replica')}"
    trouble = _trouble(situation, situation.choice.wanted.name)
    if trouble and (trouble.reason not in PASSING or situation.is_late):
        return trouble.reason, f"{awaited}; {trouble.message}"
    if situation.choice.is_promoted and situation.has_all_replicas:
        if not situation.observed.has_way:
            return NO_ROUTER, _NO_ROUTER_IS_READY
        if not situation.has_all_requests:
            return "Progressing", f"routers have yet to send all requests to version {version}"
    if situation.is_late:
        seconds = int(situation.deployment.rollout.deadline.total_seconds())
        return "ProgressDeadlineExceeded", f"{awaited} since more than {seconds} s"
    return "Progressing", awaited


def _name_taken(foreign: frozenset[ObjectKey]) -> str:
    found = ", ".join(str(key) for key in sorted(foreign))
    return f"{found} exists and belongs to somebody else; delete it or choose another name"


def _paused(situation: Situation) -> list[Condition]:
    if not situation.deployment.suspend:
        return []
    message = "spec.suspend is true: Deployments and Service are left as they are"
    return [Condition(ConditionType.PAUSED, True, "Suspended", message)]


def _candidate(situation: Situation) -> Manifest | None:
    if situation.choice.is_promoted:
        return None
    before = situation.observed.status.get("candidate") or {}
    if situation.deployment.suspend and before.get("revision") == situation.choice.wanted.name:
        return dict(before)
    part = _revision_part(situation, situation.choice.wanted.name) or {}
    if made := situation.course.move:
        part |= candidate_part(situation.deployment.rollout, made)
        return part | {"since": conditions.timestamp(situation.clock.since)}
    return part | {"weight": 0, "since": conditions.timestamp(situation.clock.since)}


def _traffic(situation: Situation) -> list[Manifest]:
    """What is wanted, and what is in force: by the Service itself, or by what routers say."""
    observed, wanted = situation.observed, situation.course.weights
    in_force: Mapping[str, int] | None = wanted
    if observed.is_through_router and observed.routing:
        in_force = observed.routing.programmed
    elif not situation.is_routed or situation.deployment.suspend:
        in_force = observed.weights()
    return traffic_part(wanted, in_force, situation.choice.serving)


def _next(situation: Situation) -> str | None:
    if situation.choice.is_promoted or situation.deployment.suspend:
        return None
    if made := situation.course.move:
        return f"{situation.choice.wanted.name}: {made.next}"
    wanted = _count(situation.deployment.replicas, "replica")
    new, old = situation.choice.wanted.name, situation.choice.serving
    deadline = conditions.timestamp(situation.deadline)
    step = situation.course.step
    if situation.course.is_given_up:
        return f"{old} goes on; change spec, or raise spec.rollout.progressDeadlineSeconds"
    if situation.is_late:
        return f"{new} gets the traffic if it ever has {wanted} ready; change spec to try another"
    if step is None:
        return f"{new} gets the traffic when it has {wanted} ready; stalled if not by {deadline}"
    match step.phase:
        case Phase.WAITING:
            how = f"{new} waits for accelerators; {old} keeps its last ready replica"
        case Phase.DRAINING:
            how = f"{old} gives up replicas for {new}, which gets the traffic when it has as many"
        case _:
            how = f"{new} gets the traffic when it has {wanted} ready"
    return f"{how}; given up if not by {deadline}"


def _given_up(situation: Situation) -> str:
    wanted = _count(situation.deployment.replicas, "ready replica")
    seconds = int(situation.deployment.rollout.deadline.total_seconds())
    version = situation.choice.wanted.version
    cause = _cause(situation)
    said = f"version {version} was given up: it did not have {wanted} within {seconds} s"
    return f"{said}; {cause}" if cause else said


def _cause(situation: Situation) -> str | None:
    """What kept the revision from being ready; its pods go, so the status remembers it."""
    name, before = situation.choice.wanted.name, situation.observed.status
    known = {item["name"]: item for item in before.get("revisions") or ()}
    trouble = None if was_given_up(before, name) else _trouble(situation, name)
    return _said(trouble) if trouble else known.get(name, {}).get("message")


def _revisions(situation: Situation) -> list[Manifest]:
    workloads = situation.workloads()
    found = [_state_of(situation, workload) for workload in workloads.values()]
    if situation.course.is_given_up:
        wanted = situation.choice.wanted.name
        had = next((item for item in found if item["name"] == wanted), {})
        found = [item for item in found if item is not had]
        found.append(_aborted(situation) | had)
    return sorted(found, key=lambda item: str(item["name"]))


def _aborted(situation: Situation) -> Manifest:
    wanted = situation.choice.wanted
    cause = _cause(situation)
    state = {"name": wanted.name, "version": wanted.version, "replicas": 0, "readyReplicas": 0}
    return state | {"aborted": True} | ({"message": cause} if cause else {})


def _state_of(situation: Situation, workload: Workload) -> Manifest:
    state = _revision_part(situation, workload.revision) or {}
    state["name"] = state.pop("revision")
    state |= {"replicas": workload.replicas, "readyReplicas": workload.ready}
    if until := situation.course.kept.get(workload.revision):
        state["warmUntil"] = conditions.timestamp(until)
    trouble = _trouble(situation, workload.revision)
    if trouble and workload.ready < workload.replicas:
        state["message"] = _said(trouble)
    return state


def _said(trouble: Trouble) -> str:
    return f"{trouble.reason}: {trouble.message}"


def _revision_part(situation: Situation, name: str | None) -> Manifest | None:
    if name is None:
        return None
    known = (*situation.observed.revisions(), situation.choice.wanted)
    versions = {revision.name: revision.version for revision in known}
    return {"revision": name} | ({"version": versions[name]} if name in versions else {})


def _selector(deployment: str, revision: str) -> str:
    labels = pod_selector(deployment, revision)
    return ",".join(f"{label}={value}" for label, value in labels.items())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
