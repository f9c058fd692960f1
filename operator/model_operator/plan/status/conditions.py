"""The conditions: whether the wanted revision is all there, and if not, why."""

from model_operator.domain.conditions import SUSPENDED, Condition, ConditionType
from model_operator.domain.manifests import ObjectKey
from model_operator.domain.seen.troubles import PASSING
from model_operator.plan.status.causes import cause_of, trouble_in
from model_operator.plan.status.situation import Situation
from model_operator.plan.status.stages import halted_by, why_not_ready

_NO_ROUTER = "NoReadyRouter"
_NO_ROUTER_IS_READY = "no pod of the namespace's modelfleet-router is ready"


def conditions_of(situation: Situation, answering: str | None) -> list[Condition]:
    """Those of one model. `answering` is a revision that answers, of this one or of another."""
    answers = available(answering, situation.observed.has_way)
    if situation.is_complete:
        ready = Condition(ConditionType.READY, True, *_success(situation))
        return [ready, answers, *_paused(situation)]
    reason, message = obstacle(situation)
    found = [Condition(ConditionType.READY, False, reason, message), answers]
    if situation.deployment.suspend:
        return [*found, *_paused(situation)]
    if situation.is_late or situation.observed.foreign:
        return [*found, Condition(ConditionType.STALLED, True, reason, message)]
    halted = halted_by(situation.course.move, situation.choice.wanted.version)
    return [*found, Condition(ConditionType.RECONCILING, True, reason, message), *halted]


def available(revision: str | None, has_way: bool = True) -> Condition:
    """Whether any revision answers, the wanted one or not."""
    if not has_way:
        return Condition(ConditionType.AVAILABLE, False, _NO_ROUTER, _NO_ROUTER_IS_READY)
    if revision is None:
        return Condition(ConditionType.AVAILABLE, False, "NoReadyReplica", "no replica is ready")
    message = f"revision {revision} answers"
    return Condition(ConditionType.AVAILABLE, True, "Answering", message)


def _success(situation: Situation) -> tuple[str, str]:
    if situation.deployment.replicas == 0:
        return "ScaledToZero", "no replica is wanted"
    version = situation.choice.wanted.version
    # Without the count: one that grows would be a write for each pod.
    return "Serving", f"version {version} serves with {situation.in_words()}"


def obstacle(situation: Situation) -> tuple[str, str]:
    """Why the wanted revision is not all there, in a word and a sentence."""
    if situation.observed.foreign:
        return "NameTaken", _name_taken(situation.observed.foreign)
    if situation.deployment.suspend:
        return SUSPENDED, "spec.suspend is true and the spec is not carried out yet"
    version = situation.choice.wanted.version
    if (made := situation.course.move) and not situation.choice.is_promoted:
        return why_not_ready(made, version, cause_of(situation))
    if situation.course.is_given_up:
        return "ProgressDeadlineExceeded", _given_up(situation)
    awaited = f"version {version} waits for {situation.in_words('ready replica')}"
    trouble = trouble_in(situation, situation.choice.wanted.name)
    if trouble and (trouble.reason not in PASSING or situation.is_late):
        return trouble.reason, f"{awaited}; {trouble.message}"
    if situation.choice.is_promoted and situation.has_all_replicas:
        if not situation.observed.has_way:
            return _NO_ROUTER, _NO_ROUTER_IS_READY
        if not situation.has_all_requests:
            return "Progressing", f"routers have yet to send all requests to version {version}"
    if situation.is_late:
        seconds = int(situation.deployment.rollout.deadline.total_seconds())
        return "ProgressDeadlineExceeded", f"{awaited} since more than {seconds} s"
    return "Progressing", awaited


def _name_taken(foreign: frozenset[ObjectKey]) -> str:
    found = ", ".join(str(key) for key in sorted(foreign))
    return f"{found} exists and belongs to somebody else; delete it or choose another name"


def _given_up(situation: Situation) -> str:
    wanted = situation.in_words("ready replica")
    seconds = int(situation.deployment.rollout.deadline.total_seconds())
    version = situation.choice.wanted.version
    cause = cause_of(situation)
    said = f"version {version} was given up: it did not have {wanted} within {seconds} s"
    return f"{said}; {cause}" if cause else said


def _paused(situation: Situation) -> list[Condition]:
    if not situation.deployment.suspend:
        return []
    message = "spec.suspend is true: Deployments and Service are left as they are"
    return [Condition(ConditionType.PAUSED, True, SUSPENDED, message)]
