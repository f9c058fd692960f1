"""The pods of a ModelDeployment, in the words that `kubectl get pods` uses."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kubectl_modelfleet.seen.fields import Object, at, items, moment, text, whole
from kubectl_modelfleet.seen.names import GROUP_LABEL, REVISION_LABEL


@dataclass(frozen=True)
class Pod:
    """`state` is Ready, or what keeps it from that in one word. `node` may be empty.

    So is `group` of one that holds a whole model.
    """

    name: str
    revision: str
    state: str
    node: str
    restarts: int
    since: datetime | None
    group: str = ""

    @property
    def member(self) -> int:
        """Its number in its group; 0 without one."""
        number = self.name.rpartition("-")[2]
        return int(number) if self.group and number.isascii() and number.isdecimal() else 0

    @property
    def is_ready(self) -> bool:
        return self.state == "Ready"


def read_pods(bodies: Iterable[Object]) -> tuple[Pod, ...]:
    """The pods by name."""
    return tuple(sorted(map(_pod, bodies), key=lambda pod: pod.name))


def _pod(body: Object) -> Pod:
    containers = items(at(body, "status", "containerStatuses"))
    return Pod(
        name=text(at(body, "metadata", "name")),
        revision=text(at(body, "metadata", "labels", REVISION_LABEL)),
        state=_state(body),
        node=text(at(body, "spec", "nodeName")),
        restarts=sum(whole(item.get("restartCount")) or 0 for item in containers),
        since=moment(at(body, "metadata", "creationTimestamp")),
        group=text(at(body, "metadata", "labels", GROUP_LABEL)),
    )


def _state(body: Object) -> str:
    if at(body, "metadata", "deletionTimestamp"):
        return "Terminating"
    conditions = {text(item.get("type")): item for item in items(at(body, "status", "conditions"))}
    if at(conditions.get("Ready"), "status") == "True":
        return "Ready"
    status = at(body, "status")
    for part in ("initContainerStatuses", "containerStatuses"):
        for container in items(at(status, part)):
            for kind in ("waiting", "terminated"):
                reason = text(at(container, "state", kind, "reason"))
                if reason not in {"", "PodInitializing", "Completed"}:
                    return reason
    if at(conditions.get("PodScheduled"), "status") == "False":
        return text(at(conditions["PodScheduled"], "reason")) or "Pending"
    phase = text(at(status, "reason")) or text(at(status, "phase"))
    return "NotReady" if phase == "Running" else phase or "Unknown"
