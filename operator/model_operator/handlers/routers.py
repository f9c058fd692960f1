"""What kopf watches for the routers of namespaces; every event wakes the namespace it is in."""

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from model_operator.cluster.cache import Written
from model_operator.domain import names
from model_operator.domain.manifests import Manifest, ObjectKey, key_of
from model_operator.domain.routers import is_router
from model_operator.routers import SeenRouter, owner_of

ROUTER_KINDS = (
    ("ServiceAccount", "v1", "serviceaccounts"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
    ("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    ("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
    ("Deployment", "apps/v1", "deployments"),
)
_NEEDED = "modeldeployments-of-namespaces"


class RouterWatches:
    """The objects of all routers, and the namespaces that need one."""

    def __init__(
        self, registry: kopf.OperatorRegistry, wake: Callable[[str], None], written: Written
    ) -> None:
        self._wake = wake
        self._written = written
        self._indices: Mapping[str, kopf.Index[Any, Any]] = {}
        self._register_deployments(registry)
        for kind, version, plural in ROUTER_KINDS:
            self._register(registry, kind, version, plural)

    def seen(self, namespace: str) -> SeenRouter:
        """What the watches show of a namespace."""
        objects: dict[ObjectKey, Manifest] = {}
        for _, _, plural in ROUTER_KINDS:
            found = self._index(_id_of(plural), namespace)
            objects |= {key_of(manifest): manifest for manifest in found}
        return SeenRouter(bool(list(self._index(_NEEDED, namespace))), objects)

    def _index(self, index: str, namespace: str) -> Any:
        return self._indices[index].get(namespace, ()) if index in self._indices else ()

    def _register_deployments(self, registry: kopf.OperatorRegistry) -> None:
        async def remember(body: kopf.Body, **_: Any) -> dict[str, str]:
            return {body["metadata"]["namespace"]: body["metadata"]["name"]}

        async def notice(body: kopf.Body, **indices: Any) -> None:
            self._indices = indices
            self._wake(body["metadata"]["namespace"])

        resource = (names.GROUP, names.VERSION, names.PLURAL)
        kopf.index(*resource, id=_NEEDED, registry=registry)(remember)
        kopf.on.event(*resource, id="router-of-deployment", registry=registry)(notice)

    def _register(
        self, registry: kopf.OperatorRegistry, kind: str, version: str, plural: str
    ) -> None:
        def concerns(labels: Any, **_: Any) -> bool:
            return is_router(dict(labels))

        async def remember(body: kopf.Body, **_: Any) -> dict[str, Manifest]:
            found = {"apiVersion": version, **dict(body), "kind": kind}
            return {body["metadata"]["namespace"]: found}

        async def notice(event: Any, body: kopf.Body, **indices: Any) -> None:
            self._indices = indices
            namespace = body["metadata"]["namespace"]
            if event["type"] == "DELETED":
                key = ObjectKey(kind, body["metadata"]["name"])
                self._written.forget(owner_of(namespace), key)
            self._wake(namespace)

        place: Any = (version, plural)
        kopf.index(*place, id=_id_of(plural), when=concerns, registry=registry)(remember)
        kopf.on.event(*place, id=f"router-{plural}-event", when=concerns, registry=registry)(notice)


def _id_of(plural: str) -> str:
    return f"router-{plural}"
