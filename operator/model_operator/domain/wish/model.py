"""Which version of which model is served, and where it is kept."""

import re
from dataclasses import dataclass
from enum import StrEnum

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.fields import whole
from model_operator.domain.manifests import Manifest

_PATH = re.compile(r"[A-Za-z0-9._/@=+,-]*")
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_PLATFORM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,62}")


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


def parse_model(
    model: Manifest, path: str, default_name: str, allows_node_paths: bool = False
) -> Model:
    """The model that the fields under `path` name.

    Raises:
        InvalidSpec: with the path of the field, also for a folder of the node where those are
            not allowed.
    """
    uri = model.get("uri")
    if not isinstance(uri, str):
        raise InvalidSpec(f"{path}.uri", "is required: where the model's versions are kept")
    version = whole(model.get("version"), f"{path}.version")
    name = model.get("name", default_name)
    if not isinstance(name, str) or not _MODEL_NAME.fullmatch(name):
        raise InvalidSpec(f"{path}.name", f"{name!r} cannot be part of a request path")
    platform = model.get("platform")
    if platform is not None and not (isinstance(platform, str) and _PLATFORM.fullmatch(platform)):
        raise InvalidSpec(f"{path}.platform", f"{platform!r} cannot be the name of a platform")
    source = parse_source(uri, f"{path}.uri")
    if source.scheme is Scheme.FILE and not allows_node_paths:
        raise InvalidSpec(
            f"{path}.uri",
            "file:// is switched off in this cluster; its administrator may set nodePaths.allowed",
        )
    return Model(name=name, source=source, version=version, platform=platform)


def parse_source(uri: str, field: str = "spec.model.uri") -> Source:
    """The place a URI names.

    Raises:
        InvalidSpec: the scheme is unknown, or the rest does not fit it.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme not in set(Scheme):
        raise InvalidSpec(
            field,
            f"{uri!r} has no known scheme; use pvc://CLAIM/PATH or file:///PATH",
        )
    volume, _, path = rest.partition("/")
    path = path.strip("/")
    if not _PATH.fullmatch(path) or ".." in path.split("/"):
        raise InvalidSpec(field, f"{uri!r} has a path with '..' or odd characters")
    if scheme == Scheme.PVC and not _CLAIM.fullmatch(volume):
        raise InvalidSpec(field, f"{uri!r} does not name a PersistentVolumeClaim")
    if scheme == Scheme.FILE and (volume or not path):
        raise InvalidSpec(field, f"{uri!r} does not hold an absolute path")
    return Source(Scheme(scheme), volume, path)
