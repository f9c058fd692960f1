"""The status of a ModelDeployment: what serves, what comes, and why something waits."""

from model_operator.domain import conditions
from model_operator.domain.conditions import ConditionType
from model_operator.domain.manifests import Manifest
from model_operator.plan.rollout.memory import commands_part
from model_operator.plan.status.conditions import conditions_of
from model_operator.plan.status.next_step import next_step
from model_operator.plan.status.revisions import (
    candidate_part,
    revision_part,
    revisions_part,
    traffic_part,
)
from model_operator.plan.status.situation import Situation
from model_operator.plan.status.verdicts import without_numbers
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


def status(situation: Situation) -> Manifest:
    """The whole status; a part that does not apply is absent."""
    deployment, choice = situation.deployment, situation.choice
    identity = deployment.identity
    workload = situation.workloads().get(choice.serving)
    parts: Manifest = {
        "observedGeneration": identity.generation,
        "conditions": conditions.merge(
            situation.observed.status.get("conditions") or (),
            conditions_of(situation),
            identity.generation,
            situation.clock.now,
        ),
        "stable": revision_part(situation, choice.stable),
        "candidate": candidate_part(situation),
        "traffic": traffic_part(situation),
        "next": next_step(situation),
        "revisions": revisions_part(situation),
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


def _selector(deployment: str, revision: str) -> str:
    labels = pod_selector(deployment, revision)
    return ",".join(f"{label}={value}" for label, value in labels.items())


def is_same(before: Manifest, after: Manifest) -> bool:
    """True when writing `after` changes nothing; what others wrote beside it does not count."""
    ours = {type_.value for type_ in ConditionType}
    known = [item for item in before.get("conditions") or () if item["type"] in ours]
    seen = {part: value for part, value in before.items() if part in STATUS_PARTS}
    return seen | {"conditions": known} == after


def without_counts(status: Manifest) -> Manifest:
    """The status without the numbers that change with each pod."""
    revisions = [
        {part: value for part, value in item.items() if part != "readyReplicas"}
        for item in status.get("revisions") or ()
    ]
    return status | {"readyReplicas": 0, "revisions": revisions}


def without_requests(status: Manifest) -> Manifest:
    """The status without the numbers that change with each request, nor those of pods."""
    plain = without_counts(status)
    if "candidate" in plain:
        plain |= {"candidate": without_numbers(plain["candidate"])}
    return plain
