"""Each revision that has pods or a future: its replicas, its share of requests, its troubles."""

from collections.abc import Mapping, Sequence

from model_operator.domain import conditions
from model_operator.domain.manifests import Manifest
from model_operator.domain.seen.workloads import Workload
from model_operator.plan.status.causes import cause_of, said, trouble_in
from model_operator.plan.status.situation import Situation
from model_operator.plan.status.stages import shares, stage_of
from model_operator.plan.status.verdicts import PARTS


def revision_part(situation: Situation, name: str | None) -> Manifest | None:
    if name is None:
        return None
    known = situation.revisions().get(name)
    return {"revision": name} | ({"version": known.version} if known else {})


def candidate_part(situation: Situation) -> Manifest | None:
    if situation.choice.is_promoted:
        return None
    before = situation.observed.status.get("candidate") or {}
    if situation.deployment.suspend and before.get("revision") == situation.choice.wanted.name:
        return dict(before)
    part = revision_part(situation, situation.choice.wanted.name) or {}
    if made := situation.course.move:
        part |= stage_of(situation.deployment.rollout, made)
        if made.stage.abort and made.judgement is None:
            # What it was turned away for stays to be read.
            part |= {name: before[name] for name in PARTS if name in before}
        return part | {"since": conditions.timestamp(situation.clock.since)}
    return part | {"weight": 0, "since": conditions.timestamp(situation.clock.since)}


def traffic_part(situations: Sequence[Situation], arms: Mapping[str, str]) -> list[Manifest]:
    """What is wanted, and what is in force: by the Service itself, or by what routers say.

    `arms` says of revisions which variant they belong to. The revision that serves of the main
    model and of each variant is there though it may get no requests; the shadow gets none.
    """
    situation, *others = situations
    observed, wanted = situation.observed, situation.shares
    in_force: Mapping[str, int] | None = wanted
    if observed.is_through_router and observed.routing:
        in_force = observed.routing.programmed
    elif not situation.is_routed or situation.deployment.suspend:
        in_force = observed.weights()
    variants = (
        item for item in others if not (item.deployment.arm and item.deployment.arm.is_shadow)
    )
    serving = {item.choice.serving for item in (situation, *variants)}
    return [
        item | ({"variant": arms[item["revision"]]} if item["revision"] in arms else {})
        for item in shares(wanted, in_force, serving)
    ]


def revisions_part(situation: Situation) -> list[Manifest]:
    workloads = situation.workloads()
    found = [_state_of(situation, workload) for workload in workloads.values()]
    if situation.course.is_given_up:
        wanted = situation.choice.wanted.name
        had = next((item for item in found if item["name"] == wanted), {})
        found = [item for item in found if item is not had]
        found.append(_aborted(situation) | had)
    arm = situation.deployment.arm_name
    return [item | ({"variant": arm} if arm else {}) for item in found]


def _state_of(situation: Situation, workload: Workload) -> Manifest:
    state = revision_part(situation, workload.revision) or {}
    state["name"] = state.pop("revision")
    state |= {"replicas": workload.replicas, "readyReplicas": workload.ready}
    if kept := situation.course.kept.get(workload.revision):
        state |= kept.part()
    trouble = trouble_in(situation, workload.revision)
    if trouble and workload.ready < workload.replicas:
        state["message"] = said(trouble)
    return state


def _aborted(situation: Situation) -> Manifest:
    wanted = situation.choice.wanted
    cause = cause_of(situation)
    state = {"name": wanted.name, "version": wanted.version, "replicas": 0, "readyReplicas": 0}
    return state | {"aborted": True} | ({"message": cause} if cause else {})
