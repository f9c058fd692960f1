"""What kopf watches, kept in its indices; every event wakes the ModelDeployment it is about."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import kopf

from model_operator.cluster.cache import Seen, Written
from model_operator.cluster.connection import has_kubeconfig
from model_operator.domain import names
from model_operator.domain.manifests import (
    Manifest,
    ObjectKey,
    controller,
    controller_uid,
    key_of,
    label_of,
)
from model_operator.domain.routing.routers import is_router
from model_operator.domain.routing.traffic import Ports, ports_of, record_name
from model_operator.domain.seen.pods import Pod, pod_of
from model_operator.handlers.routers import ROUTER_KINDS
from model_operator.settings import Settings

Wake = Callable[[str], None]
Restart = Callable[[str], None]

_IDENTITY: Any = names.FIELD_MANAGER  # kopf keeps its type for it to itself
_CHILDREN = (
    ("Deployment", "apps/v1", "deployments"),
    ("StatefulSet", "apps/v1", "statefulsets"),
    ("ControllerRevision", "apps/v1", "controllerrevisions"),
    ("Service", "v1", "services"),
    ("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies"),
    ("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
)
# Watched only where there are routers: elsewhere the operator may not read them.
_RECORDS = ("ConfigMap", "v1", "configmaps")
_PORTS = "ports-of-records"


@dataclass(frozen=True)
class Flags:
    """`leads`: this process may work; `ready`: its watches have begun; set `stop` to end it."""

    leads: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def is_ready(self) -> bool:
        """True while there is nothing to wait for: a standby is as ready as it can be."""
        return self.ready.is_set() or not self.leads.is_set()


class Watches:
    """The current state of everything watched, and who is woken by its changes."""

    def __init__(
        self, wake: Wake, restart: Restart, written: Written, has_routers: bool = False
    ) -> None:
        self._children = (*_CHILDREN, _RECORDS) if has_routers else _CHILDREN
        self._wake = wake
        self._restart = restart
        self._written = written
        self._listed: set[str] = set()
        self._indices: Mapping[str, kopf.Index[Any, Any]] = {}
        self.registry = kopf.OperatorRegistry()
        self._register()

    def watched(self, name: str) -> Seen | None:
        """What the watches show of a ModelDeployment, by `NAMESPACE/NAME`."""
        bodies = list(self._index(names.PLURAL, name))
        if not bodies:
            return None
        uid = bodies[0]["metadata"]["uid"]
        children: dict[ObjectKey, Manifest] = {}
        for _, _, plural in self._children:
            children |= {key_of(child): child for child in self._index(plural, uid)}
        pods: list[Pod] = sorted(self._index("pods", name), key=lambda pod: pod.name)
        namespace, _, own = name.partition("/")
        ports = dict(self._index(_PORTS, namespace))
        ports.pop(own, None)
        routers = tuple(self._index("pods", f"{namespace}/"))
        return Seen(bodies[0], children, tuple(pods), routers, ports)

    def _index(self, index: str, key: str) -> Iterable[Any]:
        # An index is a mapping to stores, but its type knows no default for get().
        return self._indices[index].get(key, ()) if index in self._indices else ()

    def _register(self) -> None:
        registry = self.registry

        # kopf passes every index to every handler by its id; they are live views.
        async def remember_deployment(body: kopf.Body, **_: Any) -> dict[str, Manifest]:
            return {_name_of(body): _copy(body, names.KIND)}

        async def remember_pod(body: kopf.Body, **_: Any) -> dict[str, Pod]:
            pod = dict(body)
            return {_name_by_label(pod): pod_of(pod)}

        async def on_deployment(event: Any, body: kopf.Body, **indices: Any) -> None:
            self._indices = indices
            self._notice(event)
            if event["type"] == "DELETED":
                self._written.forget_all(body["metadata"]["uid"])
            self._wake(_name_of(body))

        async def on_pod(event: Any, body: kopf.Body, **_: Any) -> None:
            self._notice(event)
            pod = dict(body)
            if is_router(pod["metadata"].get("labels") or {}):
                self._wake_all(pod["metadata"]["namespace"])
            else:
                self._wake(_name_by_label(pod))

        kopf.on.login(registry=registry)(_login)
        resource = (names.GROUP, names.VERSION, names.PLURAL)
        kopf.index(*resource, id=names.PLURAL, registry=registry)(remember_deployment)
        kopf.on.event(*resource, registry=registry, id="deployment")(on_deployment)
        kopf.index("v1", "pods", id="pods", registry=registry)(remember_pod)
        kopf.on.event("v1", "pods", registry=registry, id="pod")(on_pod)
        for kind, version, plural in self._children:
            self._register_child(kind, version, plural)
        if _RECORDS in self._children:
            kopf.index("v1", "configmaps", id=_PORTS, registry=registry)(_remember_ports)

    def _register_child(self, kind: str, version: str, plural: str) -> None:
        async def remember_child(body: kopf.Body, **_: Any) -> dict[str, Manifest]:
            owner = controller_uid(dict(body))
            return {owner: _copy(body, kind)} if owner else {}

        async def on_child(event: Any, body: kopf.Body, **_: Any) -> None:
            self._notice(event)
            child = dict(body)
            if event["type"] == "DELETED":
                key = ObjectKey(kind, child["metadata"]["name"])
                self._written.forget(controller_uid(child) or "", key)
            if owner := controller(child):
                self._wake(f"{child['metadata']['namespace']}/{owner['name']}")

        kopf.index(version, plural, id=plural, registry=self.registry)(remember_child)
        kopf.on.event(version, plural, registry=self.registry, id=f"{plural}-event")(on_child)

    def _wake_all(self, namespace: str) -> None:
        """Requests of all models of a namespace pass its routers."""
        for name in list(self._indices.get(names.PLURAL, ())):
            if str(name).startswith(f"{namespace}/"):
                self._wake(str(name))

    def _notice(self, event: Any) -> None:
        """kopf lists anew when a watch was cut for too long, and then misses deletions."""
        uid = event["object"]["metadata"]["uid"]
        if event["type"] == "DELETED":
            self._listed.discard(uid)
        elif event["type"] is None:
            if uid in self._listed:
                self._restart("a watch was interrupted for long; deletions may have been missed")
            self._listed.add(uid)


async def watch(watches: Watches, settings: Settings, flags: Flags) -> None:
    """Watch until `flags.stop` is set or the process is told to end."""
    watching = asyncio.create_task(
        kopf.operator(
            registry=watches.registry,
            settings=_kopf_settings(),
            standalone=True,
            clusterwide=not settings.namespaces,
            namespaces=settings.namespaces,
            ready_flag=flags.ready,
            # Else kopf asks for the name of the user, and a container's user has none.
            identity=_IDENTITY,
        )
    )
    # kopf could wait for the flag itself, but then it ends five seconds late, for its own waiter.
    stopping = asyncio.create_task(flags.stop.wait())
    await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not watching.done():
        watching.cancel()
        await asyncio.wait({watching})
        return
    await watching


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    # Without the rights to watch CRDs and namespaces: the set of both is fixed at start.
    settings.scanning.disabled = True
    for _, _, plural in (*_CHILDREN, _RECORDS, *ROUTER_KINDS):
        settings.watching.label_selectors[plural] = names.MANAGED_BY_SELECTOR
    settings.watching.label_selectors["pods"] = names.MANAGED_BY_SELECTOR
    settings.watching.chunk_size = 500
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 30
    # An API server that is away is asked every 5 s, so that its return is noticed soon.
    settings.networking.error_backoffs = [1, 1, 2, 3, *[5] * 100]
    settings.networking.connect_timeout = 10
    return settings


def _login(**kwargs: Any) -> kopf.ConnectionInfo | None:
    # The same choice as the writing client makes, so that both speak to the same cluster.
    if has_kubeconfig():
        return kopf.login_with_kubeconfig(**kwargs)
    return kopf.login_with_service_account(**kwargs)


def _copy(body: kopf.Body, kind: str) -> Manifest:
    """A plain copy; the field managers are left out, which are half of an object's size."""
    metadata = {part: value for part, value in body["metadata"].items() if part != "managedFields"}
    return {**dict(body), "kind": kind, "metadata": metadata}


async def _remember_ports(body: kopf.Body, **_: Any) -> dict[str, tuple[str, Ports]]:
    """The ports of each record by namespace, with the name of its model."""
    config_map, ports = dict(body), ports_of(dict(body))
    name = label_of(config_map, names.DEPLOYMENT_LABEL)
    is_record = config_map["metadata"]["name"] == record_name(name)
    return {body["metadata"]["namespace"]: (name, ports)} if ports and is_record else {}


def _name_of(body: Any) -> str:
    return f"{body['metadata']['namespace']}/{body['metadata']['name']}"


def _name_by_label(child: Manifest) -> str:
    return f"{child['metadata']['namespace']}/{label_of(child, names.DEPLOYMENT_LABEL)}"
