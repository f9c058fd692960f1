"""How Kubernetes objects, kept as plain dicts, are named and read."""

from dataclasses import dataclass
from typing import Any, TypeAlias

# JSON of an object, as the API server speaks it. Typed nouns are made from it at once where the
# operator decides something by it.
Manifest: TypeAlias = dict[str, Any]

_LABELS = frozenset({"matchLabels", "nodeSelector"})


@dataclass(frozen=True, order=True)
class ObjectKey:
    """Which object of a namespace: kind and name."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def key_of(manifest: Manifest) -> ObjectKey:
    return ObjectKey(manifest["kind"], manifest["metadata"]["name"])


def uid_of(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("uid", ""))


def controller(manifest: Manifest) -> Manifest | None:
    """The reference to the owner that controls the object, if there is one."""
    owners = manifest["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)


def controller_uid(manifest: Manifest) -> str | None:
    owner = controller(manifest)
    return str(owner["uid"]) if owner else None


def label_of(manifest: Manifest, label: str) -> str:
    """The value of a label; empty when it is absent."""
    return str((manifest["metadata"].get("labels") or {}).get(label, ""))


def is_terminating(manifest: Manifest) -> bool:
    return bool(manifest["metadata"].get("deletionTimestamp"))


def resource_version(manifest: Manifest) -> int:
    """The resourceVersion as a number: comparable within a resource type (Kubernetes KEP-5504)."""
    return int(manifest["metadata"].get("resourceVersion") or 0)


def as_stored(value: Any, name: str = "") -> Any:
    """A part of a pod's spec as the API server stores it: it drops what is empty.

    An empty mapping may say something (a selector of everything), and so may a label's value.
    """
    if isinstance(value, list):
        return [as_stored(item) for item in value]
    if not isinstance(value, dict) or name in _LABELS:
        return value
    stored = {key: as_stored(part, key) for key, part in value.items()}
    return {key: part for key, part in stored.items() if not _is_dropped(key, part)}


def _is_dropped(name: str, value: Any) -> bool:
    return value in ([], "") or (name in _LABELS and not value)
