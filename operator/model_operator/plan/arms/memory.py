"""What the status remembers of an arm, read back as a status of its own."""

from model_operator.domain.conditions import ConditionType
from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.arms import SHADOW


def status_of_arm(status: Manifest, arm: str) -> Manifest:
    """The status that the arm would have as a ModelDeployment; empty for one that is new."""
    part = _part(status, arm)
    remembered: Manifest = {
        "revisions": [item for item in status.get("revisions") or () if item.get("variant") == arm],
        # Of the others an arm has none: they tell of the main model.
        "conditions": [
            item
            for item in status.get("conditions") or ()
            if item["type"] == ConditionType.PAUSED.value
        ],
    }
    if part.get("revision"):
        remembered["stable"] = {"revision": part["revision"]}
    if part.get("candidate"):
        remembered["candidate"] = part["candidate"]
    return remembered


def _part(status: Manifest, arm: str) -> Manifest:
    if arm == SHADOW:
        return status.get("shadow") or {}
    known = status.get("variants") or ()
    return next((item for item in known if item["name"] == arm), {})
