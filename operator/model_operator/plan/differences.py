"""Whether what is observed already holds everything that is desired."""

from collections.abc import Callable
from typing import Any

from model_operator.domain.manifests import Manifest
from model_operator.domain.quantities import is_same_quantity

# Values of which an added entry of somebody else changes the meaning.
_ATOMIC = frozenset({"selector", "labelSelector", "podSelector", "ingress"})
_QUANTITIES = frozenset({"requests", "limits"})
# Lists that the API server merges by key: entries of others (a sidecar, a second owner) may stand
# beside ours. All other lists are one value.
_MERGE_KEYS: dict[str, Callable[[Manifest], Any]] = {
    "ownerReferences": lambda item: item.get("uid"),
    "containers": lambda item: item.get("name"),
    "volumes": lambda item: item.get("name"),
    "env": lambda item: item.get("name"),
    "volumeMounts": lambda item: item.get("mountPath"),
    "topologySpreadConstraints": lambda item: (
        item.get("topologyKey"),
        item.get("whenUnsatisfiable"),
    ),
    "imagePullSecrets": lambda item: item.get("name"),
    "ports": lambda item: (item.get("containerPort", item.get("port")), item.get("protocol")),
}


def covers(observed: Any, desired: Any, name: str = "") -> bool:
    """True when every part of `desired` is in `observed` with the same value.

    What the API server or others added does not count, so a default is no difference.
    """
    if name in _ATOMIC:
        return bool(observed == desired)
    if isinstance(desired, dict):
        return isinstance(observed, dict) and all(
            key in observed
            and (
                is_same_quantity(observed[key], value)
                if name in _QUANTITIES
                else covers(observed[key], value, key)
            )
            for key, value in desired.items()
        )
    if not isinstance(desired, list):
        return bool(observed == desired)
    if not isinstance(observed, list):
        return False
    if key_of := _MERGE_KEYS.get(name):
        by_key = {key_of(item): item for item in observed}
        return all(covers(by_key.get(key_of(item)), item) for item in desired)
    return len(observed) == len(desired) and all(
        covers(seen, wanted) for seen, wanted in zip(observed, desired, strict=True)
    )
