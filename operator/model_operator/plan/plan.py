"""One pass decided: (deployment, observed, now) -> Plan."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from model_operator.domain import conditions
from model_operator.domain.conditions import Condition, ConditionType
from model_operator.domain.errors import ApiError, InvalidSpec
from model_operator.domain.manifests import Manifest, ObjectKey, is_terminating, key_of
from model_operator.domain.observed import STUCK_AFTER, Observed
from model_operator.domain.revision import Revision, forgettable
from model_operator.domain.spec import Identity, ModelDeployment
from model_operator.domain.stage import State
from model_operator.domain.troubles import Trouble
from model_operator.plan.announcements import Announcement, announcements
from model_operator.plan.desired import desired_objects
from model_operator.plan.differences import covers
from model_operator.plan.rollout.change import Phase, enough
from model_operator.plan.rollout.choice import Candidates, Choice, choose
from model_operator.plan.rollout.course import Clock, Course, clock_of, course_of, dead_at, pods_of
from model_operator.plan.rollout.orders import announced_orders
from model_operator.plan.rollout.steps import choice_of, next_move, with_kept
from model_operator.plan.rollout.wish import Wish, wish_of
from model_operator.plan.status.causes import waits_for_node
from model_operator.plan.status.conditions import available
from model_operator.plan.status.report import is_same, status, without_counts, without_requests
from model_operator.plan.status.situation import Situation

INVALID_SPEC = "InvalidSpec"
# A server that runs but is not ready is asked why: often while it starts, seldom when it is stuck.
_ASK_AGAIN = timedelta(seconds=5)
_ASK_STUCK_AGAIN = timedelta(seconds=60)
# Routers follow within a second.
_ASK_ROUTERS_AGAIN = timedelta(seconds=2)
_ROUTES = frozenset({"Service", "ConfigMap"})
# Nothing tells that accelerators of other pods became free, except that ours get a node.
_COUNT_AGAIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Plan:
    """What a pass does, in this order. All empty when the object is settled.

    `status` is the new status, None when it would not change; `is_only_counts` says that nothing
    but numbers of ready replicas would, `is_only_requests` nothing but those and what is counted
    of requests. `again_at` is when to look again though nothing happens. `phase` is that of a
    change of revision. `needs_inventory` means that a plan made with the cluster's accelerators at
    hand may be another; `gives_up` that an old revision loses a replica by what they show, which
    should be looked at once more.
    """

    apply: tuple[Manifest, ...] = ()
    delete: tuple[ObjectKey, ...] = ()
    status: Manifest | None = None
    announcements: tuple[Announcement, ...] = ()
    again_at: datetime | None = None
    needs_inventory: bool = False
    gives_up: bool = False
    phase: Phase | State | None = None
    is_only_counts: bool = False
    is_only_requests: bool = False


def make_plan(
    deployment: ModelDeployment, observed: Observed, now: datetime, default_image: str
) -> Plan:
    """The steps that bring what is observed nearer to what the user asks for."""
    wish = wish_of(deployment, observed, default_image)
    course, clock = _course(deployment, observed, wish, now)
    desired = desired_objects(deployment, observed, course)
    missing = _missing(desired, observed)
    doable = tuple(item for item in missing if key_of(item) not in observed.foreign)
    doable = () if deployment.suspend else doable
    routes = [manifest for manifest in missing if manifest["kind"] in _ROUTES]
    situation = Situation(
        deployment, observed, course, all(item in doable for item in routes), clock, wish
    )
    plan = _with_status(observed, status(situation))
    plan = replace(
        plan,
        again_at=_again_at(situation),
        needs_inventory=waits_for_node(situation),
        phase=_phase(course),
        gives_up=_gives_up(observed, course),
    )
    if deployment.suspend:
        return plan
    limit = deployment.rollout.history_limit
    unneeded = () if routes else _unneeded(observed, course, limit)
    return replace(
        plan,
        apply=doable,
        delete=(*_undesired_budget(observed, desired), *unneeded),
        announcements=(*plan.announcements, *announced_orders(deployment, observed)),
    )


def _course(
    deployment: ModelDeployment, observed: Observed, wish: Wish, now: datetime
) -> tuple[Course, Clock]:
    previous = _previous(observed)
    made = None if deployment.suspend else next_move(deployment, observed, wish, previous, now)
    if made is not None and previous is not None:
        choice = choice_of(made, wish.revision, previous)
        clock = clock_of(observed, choice, now, deployment.suspend)
        course = Course(choice, deployment.replicas, move=made)
    else:
        choice = _choice(deployment, observed, wish.revision)
        clock = clock_of(observed, choice, now, deployment.suspend)
        course = course_of(deployment, observed, choice, clock)
    return with_kept(deployment, observed, course, now), clock


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


def _gives_up(observed: Observed, course: Course) -> bool:
    workload = observed.workloads().get(course.choice.serving)
    return workload is not None and course.replicas_of(workload.revision) < workload.replicas


def _previous(observed: Observed) -> str | None:
    """What serves by the status, which remembers it; if that was lost, by what leads to it."""
    return (observed.status.get("stable") or {}).get("revision") or observed.fallback()


def _choice(deployment: ModelDeployment, observed: Observed, wanted: Revision) -> Choice:
    previous = _previous(observed)
    if deployment.suspend:
        return Choice(wanted, previous)
    return choose(wanted, _candidates(deployment, observed, previous))


def _candidates(
    deployment: ModelDeployment, observed: Observed, previous: str | None
) -> Candidates:
    replicas, strategy = deployment.replicas, deployment.rollout.strategy
    old = pods_of(observed, previous) if previous in observed.workloads() else None
    return Candidates(
        revisions=observed.revisions(),
        workloads=observed.workloads(),
        previous=previous,
        enough=enough(strategy, replicas, old) if old and replicas else replicas,
    )


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


def _undesired_budget(observed: Observed, desired: list[Manifest]) -> tuple[ObjectKey, ...]:
    """The budget of more replicas than are wanted now: it would hold up drains."""
    wanted = {key_of(manifest) for manifest in desired}
    return tuple(
        key
        for key, seen in observed.children.items()
        if key.kind == "PodDisruptionBudget" and key not in wanted and not is_terminating(seen)
    )


def _unneeded(observed: Observed, course: Course, limit: int) -> tuple[ObjectKey, ...]:
    """Workloads without traffic or hope of it, and history beyond the limit."""
    needed = course.in_use | course.kept.keys()
    pods = [ObjectKey("Deployment", name) for name in observed.workloads()]
    idle = [key for key in pods if key.name not in needed]
    records = [key for key in observed.children if key.kind == "ConfigMap"]
    services = observed.revision_services()
    if observed.routing:
        idle += [key for key in services if key.name not in needed]
    else:
        # Clients that stay connected to a router to its end reach their pods by the Services.
        idle += [*records, *(services if not observed.has_router_pods else ())]
    in_use = course.choice.in_use | frozenset(observed.workloads())
    forgotten = forgettable(observed.revisions(), in_use, limit)
    keys = [*idle, *(ObjectKey("ControllerRevision", revision.name) for revision in forgotten)]
    return tuple(key for key in keys if not is_terminating(observed.children[key]))


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


def _again_at(situation: Situation) -> datetime | None:
    """When something is due: of the change, or of revisions that are kept for a while."""
    if situation.deployment.suspend:
        return None
    kept = situation.course.kept.values()
    moments = [_change_due(situation), min(kept, default=None)]
    if situation.observed.routing and not situation.is_programmed:
        pause = _ASK_STUCK_AGAIN if situation.is_complete else _ASK_ROUTERS_AGAIN
        moments.append(situation.clock.now + pause)
    return min((moment for moment in moments if moment), default=None)


def _change_due(situation: Situation) -> datetime | None:
    if made := situation.course.move:
        asks = _asks_again(situation)
        return min((at for at in (made.again_at, asks) if at), default=None)
    if situation.is_complete or situation.deployment.suspend or situation.course.is_given_up:
        return None
    if situation.is_late or situation.observed.foreign:
        return situation.clock.now + _ASK_STUCK_AGAIN
    deadline = situation.deadline
    dead = dead_at(situation.observed.status) if situation.course.step else None
    if dead is not None and situation.clock.now < dead < deadline:
        deadline = dead
    asks = _asks_again(situation)
    return min(deadline, asks) if asks else deadline


def _asks_again(situation: Situation) -> datetime | None:
    """When to ask anew what the wanted revision waits for."""
    if waits_for_node(situation):
        return situation.clock.now + _COUNT_AGAIN
    pods = situation.observed.pods_of(situation.choice.wanted.name)
    if any(pod.waits_since for pod in pods):
        return situation.clock.now + STUCK_AFTER
    if any(pod.is_running and not pod.is_ready for pod in pods):
        return situation.clock.now + _ASK_AGAIN
    return None
