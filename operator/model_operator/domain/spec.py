"""The user's wish as typed values: parse a ModelDeployment or say which field is wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from model_operator.domain.accelerator import Accelerator, parse_accelerator
from model_operator.domain.batching import Batching, parse_batching
from model_operator.domain.commands import Command, parse_commands
from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import Manifest, as_stored
from model_operator.domain.rollout import Rollout, parse_rollout
from model_operator.domain.scheduling import Scheduling, parse_scheduling

_PATH = re.compile(r"[A-Za-z0-9._/@=+,-]*")
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PLATFORM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}")
_SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


class Scheme(StrEnum):
    """Where models can be kept."""

    PVC = "pvc"
    FILE = "file"


@dataclass(frozen=True)
class Source:
    """Where the version folders lie: `volume` is a claim's name (pvc) or empty (file)."""

    scheme: Scheme
    volume: str
    path: str


@dataclass(frozen=True)
class Model:
    """`platform` None means model-server's default."""

    name: str
    source: Source
    version: int
    platform: str | None = None


@dataclass(frozen=True)
class Serving:
    """How the server container runs.

    `image` None means the operator's default, `batching` None that each request runs by itself.
    """

    image: str | None
    args: tuple[str, ...]
    env: tuple[Manifest, ...]
    resources: Manifest
    batching: Batching | None = None


@dataclass(frozen=True)
class Identity:
    """Which ModelDeployment, and which state of its spec."""

    namespace: str
    name: str
    uid: str
    generation: int

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class ModelDeployment:
    """A valid ModelDeployment. Without an `accelerator` the model runs on CPUs."""

    identity: Identity
    model: Model
    serving: Serving
    accelerator: Accelerator | None
    scheduling: Scheduling
    replicas: int
    rollout: Rollout
    suspend: bool
    commands: Mapping[Command, str] = field(default_factory=dict)


def identify(body: Manifest) -> Identity:
    metadata = body["metadata"]
    return Identity(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=int(metadata["generation"]),
    )


def parse(body: Manifest, allows_node_paths: bool = False) -> ModelDeployment:
    """A ModelDeployment from the object as the API server returns it.

    Most of what is refused here the CRD refuses too. It is said again because an object may be
    older than the rule that forbids it. Whether models may lie on nodes only the operator knows.

    Raises:
        InvalidSpec: with the path of the field and what to do about it.
    """
    identity = identify(body)
    if not _SERVICE_NAME.fullmatch(identity.name):
        raise InvalidSpec("metadata.name", "cannot be the name of a Service (RFC 1035 label)")
    spec = _mapping(body, "spec")
    replicas = _whole(spec.get("replicas", 1), "spec.replicas")
    model = _model(_mapping(spec, "spec.model"), identity.name)
    if model.source.scheme is Scheme.FILE and not allows_node_paths:
        raise InvalidSpec(
            "spec.model.uri",
            "file:// is switched off in this cluster; its administrator may set nodePaths.allowed",
        )
    serving = _serving(spec.get("serving") or {})
    return ModelDeployment(
        identity=identity,
        model=model,
        serving=serving,
        accelerator=_accelerator(spec, serving),
        scheduling=parse_scheduling(spec.get("scheduling") or {}),
        replicas=replicas,
        rollout=parse_rollout(spec.get("rollout") or {}),
        suspend=bool(spec.get("suspend", False)),
        commands=parse_commands(body["metadata"].get("annotations") or {}),
    )


def parse_source(uri: str) -> Source:
    """The place a URI names.

    Raises:
        InvalidSpec: the scheme is unknown, or the rest does not fit it.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in set(Scheme):
        raise InvalidSpec(
            "spec.model.uri",
            f"{uri!r} has no known scheme; use pvc://CLAIM/PATH or file:///PATH",
        )
    volume, _, path = rest.partition("/")
    path = path.strip("/")
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        raise InvalidSpec("spec.model.uri", f"{uri!r} has a path with '..' or odd characters")
    if scheme == Scheme.PVC and not _CLAIM.fullmatch(volume):
        raise InvalidSpec("spec.model.uri", f"{uri!r} does not name a PersistentVolumeClaim")
    if scheme == Scheme.FILE and (volume or not path):
        raise InvalidSpec("spec.model.uri", f"{uri!r} does not hold an absolute path")
    return Source(Scheme(scheme), volume, path)


def _model(model: Manifest, default_name: str) -> Model:
    uri = model.get("uri")
    if not isinstance(uri, str):
        raise InvalidSpec("spec.model.uri", "is required: where the model's versions are kept")
    version = _whole(model.get("version"), "spec.model.version")
    name = model.get("name", default_name)
    if not isinstance(name, str) or not _MODEL_NAME.fullmatch(name):
        raise InvalidSpec("spec.model.name", f"{name!r} cannot be part of a request path")
    platform = model.get("platform")
    if platform is not None and not (isinstance(platform, str) and _PLATFORM.fullmatch(platform)):
        raise InvalidSpec("spec.model.platform", f"{platform!r} cannot be the name of a platform")
    return Model(name=name, source=parse_source(uri), version=version, platform=platform)


def _serving(serving: Manifest) -> Serving:
    resources = serving.get("resources") or {}
    batching = serving.get("batching")
    return Serving(
        image=serving.get("image"),
        args=tuple(serving.get("args") or ()),
        env=tuple(as_stored(variable) for variable in serving.get("env") or ()),
        resources={part: given for part, given in resources.items() if given},
        batching=None if batching is None else parse_batching(batching),
    )


def _accelerator(spec: Manifest, serving: Serving) -> Accelerator | None:
    if "accelerator" not in spec:
        return None
    accelerator = parse_accelerator(_mapping(spec, "spec.accelerator"))
    for part in ("requests", "limits"):
        if accelerator.resource in (serving.resources.get(part) or {}):
            field = f"spec.serving.resources.{part}"
            raise InvalidSpec(field, f"{accelerator.resource} follows from spec.accelerator")
    return accelerator


def _mapping(parent: Manifest, path: str) -> Manifest:
    value = parent.get(path.rpartition(".")[2])
    if not isinstance(value, dict):
        raise InvalidSpec(path, "is required")
    return value


def _whole(value: Any, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InvalidSpec(path, "must be a whole number, 0 or more")
    return value
