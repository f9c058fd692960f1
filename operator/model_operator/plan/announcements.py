"""The few Kubernetes Events: said once, when the status turns."""

from dataclasses import dataclass

from model_operator.domain.conditions import ConditionType, find
from model_operator.domain.manifests import Manifest


@dataclass(frozen=True)
class Announcement:
    """An Event about a ModelDeployment. `is_warning` decides its type."""

    reason: str
    message: str
    is_warning: bool = False

    def manifest(self) -> Manifest:
        """The fields of an events.k8s.io/v1 Event; its note may have 1 kB."""
        return {
            "type": "Warning" if self.is_warning else "Normal",
            "reason": self.reason,
            "note": self.message[:1000],
        }


def announcements(before: Manifest, after: Manifest) -> tuple[Announcement, ...]:
    """What the change from one status to the next is worth telling."""
    said = []
    # That a candidate starts is in the Events of its Deployment; one a change is enough here.
    if stable := _new_revision(before, after, "stable"):
        said.append(Announcement("RevisionServing", f"{_named(stable)} gets the traffic"))
    stalled = find(after, ConditionType.STALLED)
    earlier = find(before, ConditionType.STALLED)
    if stalled and (earlier is None or earlier["reason"] != stalled["reason"]):
        said.append(Announcement(stalled["reason"], stalled["message"], is_warning=True))
    return tuple(said)


def _new_revision(before: Manifest, after: Manifest, role: str) -> Manifest | None:
    now: Manifest = after.get(role) or {}
    then: Manifest = before.get(role) or {}
    return now if now and now.get("revision") != then.get("revision") else None


def _named(part: Manifest) -> str:
    version = f"version {part['version']} " if "version" in part else ""
    return f"{version}(revision {part['revision']})"
