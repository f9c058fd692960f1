"""The status of a ModelDeployment: what serves, what comes, and why something waits."""

from dataclasses import dataclass
from datetime import datetime

from model_operator.domain import conditions
from model_operator.domain.conditions import Condition, ConditionType
from model_operator.domain.manifests import Manifest, ObjectKey
from model_operator.domain.observed import Observed, Workload
from model_operator.domain.spec import ModelDeployment
from model_operator.domain.troubles import PASSING, Trouble, most_telling
from model_operator.plan.choice import Choice
from model_operator.plan.shortage import lacks_node, with_counts
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
    }
)


@dataclass(frozen=True)
class Situation:
    """What a status is written from.

    A status is written after the objects of its pass: it tells of them as applied. `is_routed`
    means that the Service leads where it should, or does when this pass is carried out.
    """

    deployment: ModelDeployment
    observed: Observed
    choice: Choice
    is_routed: bool
    now: datetime

    def workloads(self) -> dict[str, Workload]:
        """The workloads in use, seen or about to be made; idle ones are about to go."""
        seen, replicas = self.observed.workloads(), self.deployment.replicas
        if self.deployment.suspend:
            return seen
        coming = {
            name: Workload(name, replicas, 0, is_current=False, trouble=None)
            for name in self.choice.in_use
        }
        return {name: seen.get(name, workload) for name, workload in coming.items()}

    @property
    def answering(self) -> str | None:
        """The revision that requests reach and that has a replica ready for them."""
        if self.deployment.suspend or not self.is_routed:
            return self.observed.answering()
        workload = self.workloads()[self.choice.serving]
        return workload.revision if workload.ready > 0 else None

    @property
    def has_all_replicas(self) -> bool:
        workload = self.observed.workloads().get(self.choice.wanted.name)
        wanted = self.deployment.replicas
        return workload is not None and workload.is_current and workload.ready >= wanted

    @property
    def is_complete(self) -> bool:
        return self.choice.is_promoted and self.is_routed and self.has_all_replicas

    @property
    def since(self) -> datetime:
        """Since when the wanted revision is on its way, or its replicas are too few."""
        before = self.observed.status
        candidate = before.get("candidate") or {}
        if candidate.get("revision") == self.choice.wanted.name and candidate.get("since"):
            return conditions.moment(candidate["since"])
        ready = conditions.find(before, ConditionType.READY)
        if self.choice.is_promoted and ready and ready["status"] == "False":
            return conditions.moment(ready["lastTransitionTime"])
        return self.now

    @property
    def deadline(self) -> datetime:
        """When what is not ready will not get there by itself."""
        return self.since + self.deployment.rollout.deadline

    @property
    def is_late(self) -> bool:
        return self.now >= self.deadline


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
            situation.now,
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
    }
    return {part: value for part, value in parts.items() if value is not None}


def available(revision: str | None) -> Condition:
    """Whether any revision answers, the wanted one or not."""
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
        return [ready, available(situation.answering), *_paused(situation)]
    reason, message = _obstacle(situation)
    found = [
        Condition(ConditionType.READY, False, reason, message),
        available(situation.answering),
    ]
    if situation.deployment.suspend:
        return [*found, *_paused(situation)]
    if situation.is_late or situation.observed.foreign:
        return [*found, Condition(ConditionType.STALLED, True, reason, message)]
    return [*found, Condition(ConditionType.RECONCILING, True, reason, message)]


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
    awaited = f"version {version} waits for {_count(wanted, 'ready replica')}"
    trouble = _trouble(situation, situation.choice.wanted.name)
    if trouble and (trouble.reason not in PASSING or situation.is_late):
        return trouble.reason, f"{awaited}; {trouble.message}"
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
    part = _revision_part(situation, situation.choice.wanted.name) or {}
    return part | {"weight": 0, "since": conditions.timestamp(situation.since)}


def _traffic(situation: Situation) -> list[Manifest]:
    """All of it goes to one revision; after a pass that moves it, the Service is as wanted."""
    wanted = situation.choice.serving
    programmed = wanted if situation.is_routed else situation.observed.routed()
    return [
        {
            "revision": name,
            "wanted": 100 if name == wanted else 0,
            "programmed": 100 if name == programmed else 0,
        }
        for name in sorted({wanted, programmed or wanted})
    ]


def _next(situation: Situation) -> str | None:
    if situation.choice.is_promoted or situation.deployment.suspend:
        return None
    wanted = _count(situation.deployment.replicas, "replica")
    deadline = conditions.timestamp(situation.deadline)
    name = situation.choice.wanted.name
    if situation.is_late:
        return f"{name} gets the traffic if it ever has {wanted} ready; change spec to try another"
    return f"{name} gets the traffic when it has {wanted} ready; stalled if not by {deadline}"


def _revisions(situation: Situation) -> list[Manifest]:
    workloads = situation.workloads()
    return [_state_of(situation, workloads[name]) for name in sorted(workloads)]


def _state_of(situation: Situation, workload: Workload) -> Manifest:
    state = _revision_part(situation, workload.revision) or {}
    state["name"] = state.pop("revision")
    state |= {"replicas": workload.replicas, "readyReplicas": workload.ready}
    trouble = _trouble(situation, workload.revision)
    if trouble and workload.ready < workload.replicas:
        state["message"] = f"{trouble.reason}: {trouble.message}"
    return state


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
