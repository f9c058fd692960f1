"""Status conditions as Kubernetes and kstatus read them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from model_operator.domain.manifests import Manifest


class ConditionType(StrEnum):
    """Ready and Available are always present; the others only while they are true.

    kstatus takes Reconciling=True for "in progress" and Stalled=True for "failed".
    """

    READY = "Ready"
    AVAILABLE = "Available"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    PAUSED = "Paused"
    SKEWED = "Skewed"


# Why Paused is true where spec.suspend has it so, and not a rollout that waits for a user.
SUSPENDED = "Suspended"


@dataclass(frozen=True)
class Condition:
    type: ConditionType
    is_true: bool
    reason: str
    message: str


def merge(
    previous: Iterable[Manifest], conditions: Iterable[Condition], generation: int, now: datetime
) -> list[Manifest]:
    """The list for status; a lastTransitionTime is kept as long as the condition's status is."""
    before = {condition["type"]: condition for condition in previous}
    merged = []
    for condition in conditions:
        status = "True" if condition.is_true else "False"
        former = before.get(condition.type.value, {})
        kept = former.get("lastTransitionTime") if former.get("status") == status else None
        merged.append(
            {
                "type": condition.type.value,
                "status": status,
                "observedGeneration": generation,
                "lastTransitionTime": kept or timestamp(now),
                "reason": condition.reason,
                "message": condition.message,
            }
        )
    return merged


def find(status: Manifest, type_: ConditionType) -> Manifest | None:
    """A condition in a status, if it is there."""
    found = status.get("conditions") or ()
    return next((item for item in found if item["type"] == type_.value), None)


def timestamp(moment: datetime) -> str:
    """A moment as the API writes it: RFC 3339, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The moment a timestamp of the API names."""
    return datetime.fromisoformat(text)
