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
    said += _of_variants(before, after)
    stalled = find(after, ConditionType.STALLED)
    earlier = find(before, ConditionType.STALLED)
    if stalled and (earlier is None or earlier["reason"] != stalled["reason"]):
        said.append(Announcement(stalled["reason"], stalled["message"], is_warning=True))
    if passed := _passed_step(before, after):
        said.append(passed)
    skewed = find(after, ConditionType.SKEWED)
    if skewed and not find(before, ConditionType.SKEWED):
        said.append(Announcement(skewed["reason"], skewed["message"], is_warning=True))
    return tuple(said)


def _of_variants(before: Manifest, after: Manifest) -> list[Announcement]:
    known = {item["name"]: item.get("revision") for item in before.get("variants") or ()}
    return [
        Announcement("RevisionServing", f"variant {item['name']}: {_named(item)} gets its requests")
        for item in after.get("variants") or ()
        if "revision" in item and item["revision"] != known.get(item["name"])
    ]


def _passed_step(before: Manifest, after: Manifest) -> Announcement | None:
    """That a candidate has passed, or has not, at a step, and by which numbers."""
    now, then = after.get("candidate") or {}, before.get("candidate") or {}
    if now.get("revision") != then.get("revision") or "verdict" not in now or "abort" in now:
        return None
    found = f"{_named(now)} at {then.get('weight', 0)} %: {now['analysis']['message']}"
    if now.get("badVerdicts", 0) > then.get("badVerdicts", 0):
        return Announcement("BadVerdict", found, is_warning=True)
    if now["step"] > then.get("step", now["step"]) and now["verdict"] == "Pass":
        return Announcement("StepPassed", found)
    return None


def _new_revision(before: Manifest, after: Manifest, role: str) -> Manifest | None:
    now: Manifest = after.get(role) or {}
    then: Manifest = before.get(role) or {}
    return now if now and now.get("revision") != then.get("revision") else None


def _named(part: Manifest) -> str:
    version = f"version {part['version']} " if "version" in part else ""
    return f"{version}(revision {part['revision']})"
