"""One pass decided: (deployment, observed, now) -> Plan."""

from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus

from model_operator.domain import conditions
from model_operator.domain.conditions import Condition, ConditionType
from model_operator.domain.errors import ApiError, InvalidSpec
from model_operator.domain.evidence.stage import State
from model_operator.domain.manifests import Manifest, ObjectKey, is_terminating, key_of
from model_operator.domain.seen.observed import Observed, arm_of
from model_operator.domain.seen.troubles import Trouble
from model_operator.domain.wish.spec import Identity, ModelDeployment
from model_operator.plan.announcements import Announcement, announcements
from model_operator.plan.arms.track import Track
from model_operator.plan.arms.tracks import tracks_of
from model_operator.plan.desired import desired_objects
from model_operator.plan.differences import covers
from model_operator.plan.groups.gated import Gated, gated_groups, taken_back
from model_operator.plan.groups.token import needs_token
from model_operator.plan.next_look import next_look
from model_operator.plan.rollout.change import Phase
from model_operator.plan.rollout.course import Course
from model_operator.plan.rollout.orders import announced_orders
from model_operator.plan.status.causes import waits_for_node
from model_operator.plan.status.conditions import available
from model_operator.plan.status.report import is_same, status, without_counts, without_requests
from model_operator.plan.status.situation import situations_of
from model_operator.plan.unneeded import undesired_guards, unneeded

INVALID_SPEC = "InvalidSpec"
_ROUTES = frozenset({"Service", "ConfigMap"})


@dataclass(frozen=True)
class Plan:
    """What a pass does, in this order. All empty when the object is settled.

    `status` is the new status, None when it would not change; `is_only_counts` says that nothing
    but numbers of ready replicas would, `is_only_requests` nothing but those and what is counted
    of requests. `again_at` is when to look again though nothing happens. `phase` is that of a
    change of revision. `needs_inventory` means that a plan made with the cluster's accelerators at
    hand may be another; `gives_up` that an old revision loses a replica by what they show, which
    should be looked at once more. `gated` are the groups that wait at their gates, which are let in
    as there is room.
    """

    apply: tuple[Manifest, ...] = ()
    delete: tuple[ObjectKey, ...] = ()
    status: Manifest | None = None
    announcements: tuple[Announcement, ...] = ()
    again_at: datetime | None = None
    needs_inventory: bool = False
    gives_up: bool = False
    needs_token: bool = False
    gated: Gated = ()
    phase: Phase | State | None = None
    is_only_counts: bool = False
    is_only_requests: bool = False


def make_plan(
    deployment: ModelDeployment, observed: Observed, now: datetime, default_image: str
) -> Plan:
    """The steps that bring what is observed nearer to what the user asks for."""
    tracks = tracks_of(deployment, observed, now, default_image)
    desired = desired_objects(tracks)
    missing = _missing(desired, observed)
    doable = tuple(item for item in missing if key_of(item) not in observed.foreign)
    doable = () if deployment.suspend else doable
    routes = [item for item in missing if item["kind"] in _ROUTES and not arm_of(item)]
    gated = gated_groups(tracks.all)
    situations = situations_of(tracks, is_routed=all(item in doable for item in routes))
    plan = _with_status(observed, status(tracks, situations))
    plan = replace(
        plan,
        again_at=next_look(tracks, situations),
        needs_inventory=bool(gated) or any(map(waits_for_node, situations)),
        phase=_phase(tracks.main.course),
        gives_up=any(_gives_up(track) for track in tracks.all),
    )
    if deployment.suspend:
        return plan
    limit = deployment.rollout.history_limit
    return replace(
        plan,
        apply=doable,
        needs_token=needs_token(deployment.identity, observed, doable),
        gated=gated,
        delete=(
            *undesired_guards(observed, desired),
            *(() if routes else unneeded(tracks, limit)),
        ),
        announcements=(
            *plan.announcements,
            *announced_orders(deployment, tracks.main.observed),
            *taken_back(tracks.all),
        ),
    )


def plan_for_invalid(
    identity: Identity, error: InvalidSpec, observed: Observed, now: datetime
) -> Plan:
    """Only the status changes: what already serves keeps serving."""
    trouble = Trouble(INVALID_SPEC, str(error))
    return _only_told(identity, trouble, ConditionType.STALLED, observed, now)


def plan_for_refused(
    identity: Identity, error: ApiError, observed: Observed, now: datetime
) -> Plan:
    """What the API server refuses is told; that it is tried again is up to the error itself.

    A quota or an admission rule may change; what is not valid stays so until the spec changes.
    """
    passes = error.status == HTTPStatus.FORBIDDEN
    type_ = ConditionType.RECONCILING if passes else ConditionType.STALLED
    return _only_told(identity, Trouble("Refused", error.message), type_, observed, now)


def _only_told(
    identity: Identity, trouble: Trouble, type_: ConditionType, observed: Observed, now: datetime
) -> Plan:
    before = observed.status
    found = [
        Condition(ConditionType.READY, False, trouble.reason, trouble.message),
        available(observed.answering()),
        Condition(type_, True, trouble.reason, trouble.message),
    ]
    merged = conditions.merge(before.get("conditions") or (), found, identity.generation, now)
    # Nobody can tell the candidate of an invalid spec; of another, its time goes on. One that has
    # weight by steps, or was aborted, still does.
    is_stale = trouble.reason == INVALID_SPEC and "target" not in before.get("candidate", {})
    gone = {"next", "candidate"} if is_stale else {"next"}
    kept = {part: value for part, value in before.items() if part not in gone}
    after = kept | {"observedGeneration": identity.generation, "conditions": merged}
    return _with_status(observed, after)


def _phase(course: Course) -> Phase | State | None:
    if course.move is not None:
        return None if course.choice.is_promoted else course.move.state
    return course.step.phase if course.step else None


def _gives_up(track: Track) -> bool:
    workload = track.observed.workloads().get(track.serving)
    return workload is not None and track.course.replicas_of(track.serving) < workload.replicas


def _missing(desired: list[Manifest], observed: Observed) -> tuple[Manifest, ...]:
    """What must be applied, each bound to the very object that was seen."""
    missing = []
    for manifest in desired:
        seen = observed.children.get(key_of(manifest))
        if seen is None:
            missing.append(manifest)
        elif not is_terminating(seen) and not covers(seen, manifest):
            bound = manifest["metadata"] | {"uid": seen["metadata"]["uid"]}
            missing.append(manifest | {"metadata": bound})
    return tuple(missing)


def _with_status(observed: Observed, after: Manifest) -> Plan:
    if is_same(observed.status, after):
        return Plan()
    told = announcements(observed.status, after)
    return Plan(
        status=after,
        announcements=told,
        is_only_counts=is_same(without_counts(observed.status), without_counts(after)),
        is_only_requests=is_same(without_requests(observed.status), without_requests(after)),
    )
