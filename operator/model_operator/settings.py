"""The operator's own settings, read from the environment once."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_NAME = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAMESPACE = re.compile(_NAME)
_RESOURCE = re.compile(rf"{_NAME}(\.{_NAME})*(/[A-Za-z0-9][-A-Za-z0-9_.]*)?")
_ROLE = re.compile(r"(?P<kind>Role|ClusterRole)/(?P<name>[A-Za-z0-9][-A-Za-z0-9_.:]*)")
_PARAMETER = re.compile(r"[A-Za-z0-9_-]*")
_LEASE = re.compile(rf"{_NAME}/{_NAME}(\.{_NAME})*")


class InvalidSettings(Exception):
    """An environment variable of the operator has a value that makes no sense."""


@dataclass(frozen=True)
class LeaseName:
    """The Lease by which the operators of one installation elect their leader."""

    namespace: str
    name: str


@dataclass(frozen=True)
class Role:
    """What a router is allowed, made by whoever installs the operator."""

    kind: str  # Role or ClusterRole
    name: str


@dataclass(frozen=True)
class RouterSettings:
    """What an administrator decides for the routers of all namespaces.

    `resources` are those of a pod, as Kubernetes has them; empty leaves them to the operator.
    """

    image: str
    role: Role
    replicas: int = 2
    logs_requests: bool = False
    resources: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PrometheusSettings:
    """The Prometheus that queries of analyses go to.

    `url` is what its `/api/v1/query` follows. `ca_file` holds the CAs to trust, in PEM; None means
    those of the system. `token_file` holds a bearer token. `namespace_parameter` tells the user's
    namespace to a proxy that keeps users to their own metrics.
    """

    url: str
    ca_file: Path | None = None
    token_file: Path | None = None
    namespace_parameter: str = ""
    timeout_seconds: float = 5.0


class LogFormat(StrEnum):
    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True)
class Settings:
    """What an administrator decides for all ModelDeployments of this operator.

    `accelerator_images` are images of model-server for an extended resource (`nvidia.com/gpu`) or
    for all of a vendor (`nvidia.com`). `namespaces` empty means all. `allows_node_paths` lets users
    serve file:// models, which mounts a folder of the node into their pods: off unless every user
    may read every node. `lease` is what the operators of one installation elect their leader by;
    None means that this is the only one. `router` is about the routers of namespaces in use; None
    means that there are none. `prometheus` is who knows what analyses ask for; None means nobody.
    """

    server_image: str
    accelerator_images: Mapping[str, str] = field(default_factory=dict)
    namespaces: tuple[str, ...] = ()
    allows_node_paths: bool = False
    log_format: LogFormat = LogFormat.JSON
    health_port: int = 8080
    lease: LeaseName | None = None
    router: RouterSettings | None = None
    prometheus: PrometheusSettings | None = None

    def image_for(self, resource: str | None) -> str:
        """The image of model-server for pods that take that resource; None means CPUs only."""
        if resource is None:
            return self.server_image
        of_vendor = self.accelerator_images.get(resource.partition("/")[0], self.server_image)
        return self.accelerator_images.get(resource, of_vendor)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings from MODELFLEET_* variables.

        Raises:
            InvalidSettings: a variable is missing or makes no sense; the message names it.
        """
        image = environment.get("MODELFLEET_SERVER_IMAGE", "").strip()
        if not image:
            raise InvalidSettings("MODELFLEET_SERVER_IMAGE: name the image of model-server")
        return cls(
            server_image=image,
            accelerator_images=_images(environment.get("MODELFLEET_ACCELERATOR_IMAGES", "")),
            namespaces=_namespaces(environment.get("MODELFLEET_NAMESPACES", "")),
            allows_node_paths=_switch(environment, "MODELFLEET_ALLOW_NODE_PATHS"),
            log_format=_log_format(environment.get("MODELFLEET_LOG_FORMAT", LogFormat.JSON)),
            health_port=_port(environment.get("MODELFLEET_HEALTH_PORT", "8080")),
            lease=_lease(environment.get("MODELFLEET_LEASE", "")),
            router=_router(environment),
            prometheus=_prometheus(environment),
        )


def _images(text: str) -> dict[str, str]:
    images = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        resource, _, image = part.partition("=")
        if not _RESOURCE.fullmatch(resource) or not image:
            raise InvalidSettings(
                f"MODELFLEET_ACCELERATOR_IMAGES: {part!r} is not RESOURCE=IMAGE or VENDOR=IMAGE"
            )
        images[resource] = image
    return images


def _namespaces(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for namespace in found:
        if not _NAMESPACE.fullmatch(namespace):
            raise InvalidSettings(f"MODELFLEET_NAMESPACES: {namespace!r} is no namespace's name")
    return found


def _switch(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "false").lower()
    if value not in {"true", "false"}:
        raise InvalidSettings(f"{name}: use true or false, not {value!r}")
    return value == "true"


def _log_format(text: str) -> LogFormat:
    if text not in set(LogFormat):
        raise InvalidSettings(f"MODELFLEET_LOG_FORMAT: use json or text, not {text!r}")
    return LogFormat(text)


def _lease(text: str) -> LeaseName | None:
    if not text:
        return None
    if not _LEASE.fullmatch(text):
        raise InvalidSettings(f"MODELFLEET_LEASE: {text!r} is not NAMESPACE/NAME of a Lease")
    namespace, _, name = text.partition("/")
    return LeaseName(namespace, name)


def _router(environment: Mapping[str, str]) -> RouterSettings | None:
    image = environment.get("MODELFLEET_ROUTER_IMAGE", "").strip()
    if not image:
        return None
    role = _ROLE.fullmatch(environment.get("MODELFLEET_ROUTER_ROLE", ""))
    if not role:
        raise InvalidSettings(
            "MODELFLEET_ROUTER_ROLE: name what routers may do, as Role/NAME or ClusterRole/NAME"
        )
    replicas = environment.get("MODELFLEET_ROUTER_REPLICAS", "2")
    if not replicas.isdecimal() or not 1 <= int(replicas) <= 100:
        raise InvalidSettings(f"MODELFLEET_ROUTER_REPLICAS: {replicas!r} is not from 1 to 100")
    return RouterSettings(
        image,
        Role(role["kind"], role["name"]),
        int(replicas),
        _switch(environment, "MODELFLEET_ROUTER_LOGS_REQUESTS"),
        _resources(environment.get("MODELFLEET_ROUTER_RESOURCES", "{}")),
    )


def _resources(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidSettings(f"MODELFLEET_ROUTER_RESOURCES: not JSON ({error})") from error
    if not isinstance(found, dict) or not found.keys() <= {"requests", "limits"}:
        raise InvalidSettings("MODELFLEET_ROUTER_RESOURCES: an object of requests and limits")
    return found


def _prometheus(environment: Mapping[str, str]) -> PrometheusSettings | None:
    url = environment.get("MODELFLEET_PROMETHEUS_URL", "").strip()
    if not url:
        return None
    parameter = environment.get("MODELFLEET_PROMETHEUS_NAMESPACE_PARAMETER", "").strip()
    if parameter in {"query", "time", "timeout"} or not _PARAMETER.fullmatch(parameter):
        raise InvalidSettings(
            f"MODELFLEET_PROMETHEUS_NAMESPACE_PARAMETER: {parameter!r} is no name of a parameter, "
            "or one of the query's own"
        )
    return PrometheusSettings(
        _url(url),
        _file(environment, "MODELFLEET_PROMETHEUS_CA_FILE"),
        _file(environment, "MODELFLEET_PROMETHEUS_TOKEN_FILE"),
        parameter,
        _timeout(environment.get("MODELFLEET_PROMETHEUS_TIMEOUT_SECONDS", "5")),
    )


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_plain = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_plain = None
    if not is_plain or "@" in text or "?" in text or "#" in text:
        # The text itself may hold a password.
        raise InvalidSettings(
            "MODELFLEET_PROMETHEUS_URL: use http(s)://HOST[:PORT][/PATH], without a user or a query"
        )
    return text.rstrip("/")


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    text = environment.get(name, "")
    if text and not Path(text).is_absolute():
        raise InvalidSettings(f"{name}: {text!r} is not the whole path of a file")
    return Path(text) if text else None


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= 60:
        raise InvalidSettings(
            f"MODELFLEET_PROMETHEUS_TIMEOUT_SECONDS: {text!r} is not from 1 to 60"
        )
    return seconds


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise InvalidSettings(f"MODELFLEET_HEALTH_PORT: {text!r} is no port (0 to 65535)")
    return int(text)
