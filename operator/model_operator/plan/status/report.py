"""The status of a ModelDeployment: what serves, what comes, and why something waits."""

from collections.abc import Sequence

from model_operator.domain import conditions, names
from model_operator.domain.conditions import ConditionType
from model_operator.domain.manifests import Manifest
from model_operator.plan.arms.tracks import Tracks
from model_operator.plan.rollout.memory import commands_part
from model_operator.plan.status.arms import (
    arms_of_revisions,
    kept_revisions,
    shadow_part,
    variants_part,
    with_variants,
)
from model_operator.plan.status.next_step import next_step
from model_operator.plan.status.revisions import (
    candidate_part,
    revision_part,
    revisions_part,
    traffic_part,
)
from model_operator.plan.status.situation import Situation
from model_operator.plan.status.truth import skewed, with_observed, without_observed
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
        "variants",
        "shadow",
        "replicas",
        "readyReplicas",
        "selector",
        "endpoints",
        "commands",
        "rollback",
    }
)


def status(tracks: Tracks, situations: Sequence[Situation]) -> Manifest:
    """The whole status; a part that does not apply is absent.

    Args:
        tracks: what was decided.
        situations: of the main model, and of the arms in their order.
    """
    situation, *arms = situations
    deployment, choice = situation.deployment, situation.choice
    identity = deployment.identity
    workload = situation.workloads().get(choice.serving)
    parts: Manifest = {
        "observedGeneration": identity.generation,
        "conditions": conditions.merge(
            situation.observed.status.get("conditions") or (),
            [*with_variants(situation, arms), *skewed(situation)],
            identity.generation,
            situation.clock.now,
        ),
        "stable": revision_part(situation, choice.stable),
        "candidate": candidate_part(situation),
        "traffic": with_observed(traffic_part(situations, arms_of_revisions(tracks)), situation),
        "next": _next(situations),
        "variants": variants_part(arms),
        "shadow": shadow_part(arms),
        "revisions": _revisions(tracks, situations),
        "replicas": workload.replicas if workload else 0,
        "readyReplicas": workload.ready if workload else 0,
        "selector": _selector(situation),
        "endpoints": endpoints(identity, deployment.model.name),
    } | _orders(situation)
    return {part: value for part, value in parts.items() if value is not None}


def _next(situations: Sequence[Situation]) -> str | None:
    """Of the main model, or of the first arm that something is to come for."""
    return next((said for item in situations if (said := next_step(item))), None)


def _revisions(tracks: Tracks, situations: Sequence[Situation]) -> list[Manifest]:
    found = [part for situation in situations for part in revisions_part(situation)]
    is_suspended = tracks.main.deployment.suspend
    found += [part for gone in tracks.gone for part in kept_revisions(gone, is_suspended)]
    return sorted(found, key=lambda item: str(item["name"]))


def _orders(situation: Situation) -> Manifest:
    if situation.deployment.suspend:
        return {part: situation.observed.status.get(part) for part in ("commands", "rollback")}
    commands = commands_part(situation.deployment.commands)
    return {"commands": commands, "rollback": situation.wish.part()}


def _selector(situation: Situation) -> str:
    """Autoscalers take the pods that it finds for replicas: of a group that is one member."""
    serving = situation.choice.serving
    labels = pod_selector(situation.deployment.identity.name, serving)
    revision = situation.revisions().get(serving)
    if revision is not None and revision.shards is not None:
        labels |= {names.MEMBER_LABEL: "0"}
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
    plain |= {"traffic": without_observed(plain.get("traffic") or ())}
    if "candidate" in plain:
        plain |= {"candidate": without_numbers(plain["candidate"])}
    return plain
