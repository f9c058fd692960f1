"""The gate at which pods of a group wait until there is room for all that wait."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from model_operator.domain import names
from model_operator.domain.conditions import moment
from model_operator.domain.manifests import Manifest, label_of


@dataclass(frozen=True)
class Gate:
    """A pod's gate, closed or taken away.

    `key` is that of the pod's group in the whole cluster, `made` when the pod was made, `opened`
    when the operator took the gate away, None while the pod waits. `selector` are the labels that
    the pod asks of nodes.
    """

    key: str
    made: datetime
    opened: datetime | None
    selector: Mapping[str, str]

    @property
    def is_closed(self) -> bool:
        return self.opened is None


def gate_of(pod: Manifest) -> Gate | None:
    """The gate of a pod from its object; None for a pod that never had one."""
    metadata, spec = pod["metadata"], pod.get("spec") or {}
    gates = {gate["name"] for gate in spec.get("schedulingGates") or ()}
    opened = (metadata.get("annotations") or {}).get(names.OPENED_ANNOTATION)
    if names.GANG_GATE not in gates and opened is None:
        return None
    made = moment(metadata["creationTimestamp"])
    return Gate(
        key=label_of(pod, names.GROUP_KEY_LABEL),
        made=made,
        opened=None if names.GANG_GATE in gates else _moment(opened, made),
        selector=spec.get("nodeSelector") or {},
    )


def _moment(text: str | None, otherwise: datetime) -> datetime:
    """Annotations are anybody's to write."""
    try:
        return moment(text or "")
    except ValueError:
        return otherwise
