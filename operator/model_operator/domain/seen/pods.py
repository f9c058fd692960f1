"""The pods of revisions, reduced to what decisions need."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from model_operator.domain import names
from model_operator.domain.conditions import moment
from model_operator.domain.manifests import Manifest, is_terminating, label_of, uid_of
from model_operator.domain.seen.gates import Gate, gate_of
from model_operator.domain.seen.troubles import Trouble, trouble_of_pod

# Volumes are mounted and the network is made in seconds; what takes longer may be stuck.
STUCK_AFTER = timedelta(seconds=20)
OVERDUE_AFTER = timedelta(seconds=60)
_BEFORE_CONTAINERS = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True)
class Pod:
    """A pod of a revision. `is_running` means that its server process was started.

    `node` is empty while no node has taken it, and again when it has ended there. `waits_since` is
    since when a node has it and no container has been made. `leaves_by` is when a pod that is on
    its way out should be gone. `arm` is empty for pods of the main model, `group` for those that
    hold a whole model. `was_ready` means that it was ready since its server began, and is not now.
    `gate` is None for a pod that never waited for others of its group.
    """

    name: str
    revision: str
    ip: str
    is_running: bool
    is_ready: bool
    trouble: Trouble | None
    node: str = ""
    is_terminating: bool = False
    uid: str = ""
    arm: str = ""
    waits_since: datetime | None = None
    leaves_by: datetime | None = None
    group: str = ""
    was_ready: bool = False
    gate: Gate | None = None

    @property
    def member(self) -> int:
        """Its number in its group."""
        return names.number_at_end(self.name)

    def is_leaving(self, now: datetime) -> bool:
        """True when what it holds is free soon. On a node that was lost it may stay for ever."""
        is_overdue = self.leaves_by is not None and now >= self.leaves_by + OVERDUE_AFTER
        return self.is_terminating and not is_overdue

    def is_stuck(self, now: datetime) -> bool:
        """True when its containers should long have been made; only its events tell why not."""
        return self.waits_since is not None and now - self.waits_since >= STUCK_AFTER


def pod_of(manifest: Manifest) -> Pod:
    """A pod from its object."""
    status = manifest.get("status") or {}
    containers = status.get("containerStatuses") or ()
    conditions = status.get("conditions") or ()
    deleted = manifest["metadata"].get("deletionTimestamp")
    has_ended = status.get("phase") in {"Succeeded", "Failed"}
    return Pod(
        name=manifest["metadata"]["name"],
        revision=label_of(manifest, names.REVISION_LABEL),
        ip=status.get("podIP") or "",
        is_running=any("running" in (container.get("state") or {}) for container in containers),
        is_ready=any(item["type"] == "Ready" and item["status"] == "True" for item in conditions),
        trouble=trouble_of_pod(manifest),
        node="" if has_ended else (manifest.get("spec") or {}).get("nodeName") or "",
        is_terminating=is_terminating(manifest),
        uid=uid_of(manifest),
        arm=label_of(manifest, names.ARM_LABEL),
        leaves_by=moment(deleted) if deleted else None,
        waits_since=None if is_terminating(manifest) else _waits_since(status),
        group=label_of(manifest, names.GROUP_LABEL),
        was_ready=_was_ready(status),
        gate=gate_of(manifest),
    )


def _waits_since(status: Manifest) -> datetime | None:
    reasons = {
        ((container.get("state") or {}).get("waiting") or {}).get("reason")
        for container in status.get("containerStatuses") or ()
    }
    began = status.get("startTime")
    return moment(began) if began and reasons & _BEFORE_CONTAINERS else None


def _was_ready(status: Manifest) -> bool:
    """A pod that was never ready is so since before its containers began."""
    lost = [
        item["lastTransitionTime"]
        for item in status.get("conditions") or ()
        if item["type"] == "Ready" and item["status"] != "True" and item.get("lastTransitionTime")
    ]
    began = [
        container["state"]["running"]["startedAt"]
        for container in status.get("containerStatuses") or ()
        if ((container.get("state") or {}).get("running") or {}).get("startedAt")
    ]
    return bool(lost and began) and moment(lost[0]) > max(map(moment, began))
