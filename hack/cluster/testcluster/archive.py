"""OCI image archives: of one static program, and of what an engine has written to a folder."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_OCI = "application/vnd.oci.image"
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class ProgramImage:
    """An image with nothing but one program, which is also its entry point."""

    name: str
    program: Path


@dataclass(frozen=True)
class _Blob:
    content: bytes

    @property
    def digest(self) -> str:
        return "sha256:" + hashlib.sha256(self.content).hexdigest()

    def described(self, kind: str) -> dict[str, Any]:
        return {"mediaType": kind, "digest": self.digest, "size": len(self.content)}


def write(images: list[ProgramImage], file: Path) -> None:
    """Write an archive that `ctr images import` takes; OCI image layout 1.0."""
    index: list[dict[str, Any]] = []
    with tarfile.open(file, "w") as archive:
        for image in images:
            blobs = _blobs(image)
            for blob in blobs:
                _add(archive, _path(blob.digest), blob.content)
            index.append(_named(image.name, blobs[-1]))
        _add_index(archive, index)


def stream(folder: Path, name: str, known: Set[str], to: IO[bytes]) -> None:
    """Write an image of containers/image's `dir:` layout as an archive, piece by piece.

    Layers whose digests are `known` stay out: containerd finds them in its own content.
    """
    manifest = _Blob((folder / "manifest.json").read_bytes())
    with tarfile.open(fileobj=to, mode="w|", bufsize=_PIECE) as archive:
        described = json.loads(manifest.content)
        for part in [*described["layers"], described["config"]]:
            if part is described["config"] or part["digest"] not in known:
                archive.add(folder / part["digest"].partition(":")[2], _path(part["digest"]))
        _add(archive, _path(manifest.digest), manifest.content)
        _add_index(archive, [_named(name, manifest)])


def _named(name: str, manifest: _Blob) -> dict[str, Any]:
    kind = json.loads(manifest.content)["mediaType"]
    return {**manifest.described(kind), "annotations": {"io.containerd.image.name": name}}


def _path(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _add_index(archive: tarfile.TarFile, manifests: list[dict[str, Any]]) -> None:
    _add_json(archive, "index.json", {"schemaVersion": 2, "manifests": manifests})
    _add_json(archive, "oci-layout", {"imageLayoutVersion": "1.0.0"})


def _blobs(image: ProgramImage) -> list[_Blob]:
    """Layer, configuration and, last, the manifest."""
    layer = _Blob(_layer(image.program))
    path = f"/{image.program.name}"
    config = _json_blob(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": [path], "WorkingDir": "/", "User": "65532:65532"},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
        }
    )
    manifest = _json_blob(
        {
            "schemaVersion": 2,
            "mediaType": f"{_OCI}.manifest.v1+json",
            "config": config.described(f"{_OCI}.config.v1+json"),
            "layers": [layer.described(f"{_OCI}.layer.v1.tar")],
        }
    )
    return [layer, config, manifest]


def _layer(program: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as layer:
        _add(layer, program.name, program.read_bytes(), mode=0o755)
    return content.getvalue()


def _json_blob(value: Mapping[str, Any]) -> _Blob:
    return _Blob(json.dumps(value).encode())


def _add_json(archive: tarfile.TarFile, path: str, value: Mapping[str, Any]) -> None:
    _add(archive, path, json.dumps(value).encode())


def _add(archive: tarfile.TarFile, path: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))
