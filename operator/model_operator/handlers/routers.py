"""What kopf watches for the routers of namespaces; every event wakes the namespace it is in."""

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from model_operator.cluster.cache import Written
from model_operator.domain import names
from model_operator.domain.manifests import Manifest, ObjectKey, key_of
from model_operator.domain.routing.routers import ROUTER_NAME, is_router, leads_to_router
from model_operator.routers import SeenRouter, owner_of

_PODS = (
    ("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    ("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
    ("Deployment", "apps/v1", "deployments"),
)
# Where routers are switched off the operator may not even read these; without pods they are idle.
_RIGHTS = (
    ("ServiceAccount", "v1", "serviceaccounts"),
    ("RoleBinding", "rbac.authorization.k8s.io/v1", "rolebindings"),
)
ROUTER_KINDS = (*_RIGHTS, *_PODS)
_NEEDED = "needs-of-routers"


class RouterWatches:
    """The objects of all routers, and the namespaces that need one.

    That is where a ModelDeployment is; where routers are switched off (`are_wanted` is False), it
    is where a Service still leads to one.
    """

    def __init__(
        self,
        registry: kopf.OperatorRegistry,
        wake: Callable[[str], None],
        written: Written,
        are_wanted: bool,
    ) -> None:
        self._wake = wake
        self._written = written
        self._are_wanted = are_wanted
        self._indices: Mapping[str, kopf.Index[Any, Any]] = {}
        self._kinds = ROUTER_KINDS if are_wanted else _PODS
        if are_wanted:
            self._register_needs(registry, (names.GROUP, names.VERSION, names.PLURAL), _always)
        else:
            self._register_needs(registry, ("v1", "services"), leads_to_router)
        for kind, version, plural in self._kinds:
            self._register(registry, kind, version, plural)

    def seen(self, namespace: str) -> SeenRouter:
        """What the watches show of a namespace."""
        objects: dict[ObjectKey, Manifest] = {}
        for _, _, plural in self._kinds:
            found = self._index(_id_of(plural), namespace)
            objects |= {key_of(manifest): manifest for manifest in found}
        return SeenRouter(bool(list(self._index(_NEEDED, namespace))), objects)

    def _index(self, index: str, namespace: str) -> Any:
        return self._indices[index].get(namespace, ()) if index in self._indices else ()

    def _register_needs(
        self,
        registry: kopf.OperatorRegistry,
        resource: tuple[str, ...],
        needs: Callable[[Manifest], bool],
    ) -> None:
        async def remember(body: kopf.Body, **_: Any) -> dict[str, str]:
            metadata = body["metadata"]
            return {metadata["namespace"]: metadata["name"]} if needs(dict(body)) else {}

        async def notice(body: kopf.Body, **indices: Any) -> None:
            self._indices = indices
            namespace = body["metadata"]["namespace"]
            if self._are_wanted or self.seen(namespace).objects:
                self._wake(namespace)

        place: Any = resource
        kopf.index(*place, id=_NEEDED, registry=registry)(remember)
        kopf.on.event(*place, id="router-needed", registry=registry)(notice)

    def _register(
        self, registry: kopf.OperatorRegistry, kind: str, version: str, plural: str
    ) -> None:
        def concerns(name: str | None, labels: Any, **_: Any) -> bool:
            return name == ROUTER_NAME and is_router(dict(labels))

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


def _always(_: Manifest) -> bool:
    return True


def _id_of(plural: str) -> str:
    return f"router-{plural}"
