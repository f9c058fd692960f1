"""What the status says of variants and of the shadow."""

from collections.abc import Sequence

from model_operator.domain.conditions import Condition, ConditionType
from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.arms import SHADOW
from model_operator.plan.arms.tracks import Gone, Tracks
from model_operator.plan.status.conditions import conditions_of, obstacle
from model_operator.plan.status.revisions import candidate_part, revision_part
from model_operator.plan.status.situation import Situation


def arm_part(situation: Situation) -> Manifest:
    """The revision of an arm that gets its requests, the one on its way in, and what is missing."""
    part = revision_part(situation, situation.choice.stable) or {}
    if candidate := candidate_part(situation):
        # Its time is remembered there, as that of the main model's candidate is.
        part["candidate"] = {key: candidate[key] for key in candidate if key != "weight"}
    if not situation.is_complete:
        part["message"] = f"{obstacle(situation)[1]}{_consequence(situation)}"
    return part


def variants_part(arms: Sequence[Situation]) -> list[Manifest] | None:
    """The variants in the order of the spec; absent without any."""
    found = [{"name": _name(arm)} | arm_part(arm) for arm in arms if _name(arm) != SHADOW]
    return found or None


def shadow_part(arms: Sequence[Situation]) -> Manifest | None:
    """The shadow, if there is one."""
    return next((arm_part(arm) for arm in arms if _name(arm) == SHADOW), None)


def arms_of_revisions(tracks: Tracks) -> dict[str, str]:
    """Which arm each revision belongs to; those of the main model are left out."""
    found = {
        revision.name: gone.arm for gone in tracks.gone for revision in gone.observed.revisions()
    }
    for track in tracks.arms:
        known = (*track.observed.revisions(), track.course.choice.wanted)
        found |= {revision.name: track.deployment.arm_name for revision in known}
    return found


def with_variants(main: Situation, arms: Sequence[Situation]) -> list[Condition]:
    """The conditions of all: a variant that is missing counts once the main model is complete.

    The shadow never counts.
    """
    answering = next((name for item in (main, *arms) if (name := item.answering)), None)
    told = conditions_of(main, answering)
    missing = [arm for arm in arms if _name(arm) != SHADOW and not arm.is_complete]
    if not main.is_complete or not missing:
        return told
    others = [item for item in told if item.type is not ConditionType.READY]
    return [*_of_variant(missing[0]), *others]


def _of_variant(arm: Situation) -> list[Condition]:
    told = [
        item
        for item in conditions_of(arm, None)
        if item.type not in {ConditionType.AVAILABLE, ConditionType.PAUSED}
    ]
    return [
        Condition(
            item.type,
            item.is_true,
            item.reason,
            f"variant {_name(arm)}: {item.message}{_consequence(arm)}",
        )
        for item in told
    ]


def kept_revisions(gone: Gone, is_suspended: bool) -> list[Manifest]:
    """The revisions of an arm that is gone from the spec, while they have pods."""
    known = {revision.name: revision for revision in gone.observed.revisions()}
    found = []
    for name, workload in gone.observed.workloads().items():
        if name not in gone.kept and not is_suspended:
            continue
        state: Manifest = {"name": name, "variant": gone.arm}
        state |= {"version": known[name].version} if name in known else {}
        state |= {"replicas": workload.replicas, "readyReplicas": workload.ready}
        if kept := gone.kept.get(name):
            state |= kept.part()
        found.append(state)
    return found


def _consequence(situation: Situation) -> str:
    """What becomes of the requests of a variant that cannot answer."""
    arm, serving = situation.deployment.arm, situation.choice.serving
    if arm is None or arm.is_shadow or situation.deployment.suspend:
        return ""
    workload = situation.workloads().get(serving)
    if workload is not None and workload.ready > 0:
        return ""
    if arm.matches:
        return "; its requests go to the others"
    return f"; its {arm.weight} % go to the others" if arm.weight else ""


def _name(situation: Situation) -> str:
    return situation.deployment.arm_name
