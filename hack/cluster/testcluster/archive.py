"""Images of one static program, made without an engine or a registry: an OCI image archive."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_OCI = "application/vnd.oci.image"


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
            blobs, manifest = _blobs(image)
            for blob in blobs:
                _add(archive, f"blobs/{blob.digest.replace(':', '/')}", blob.content)
            index.append({**manifest, "annotations": {"io.containerd.image.name": image.name}})
        _add_json(archive, "index.json", {"schemaVersion": 2, "manifests": index})
        _add_json(archive, "oci-layout", {"imageLayoutVersion": "1.0.0"})


def _blobs(image: ProgramImage) -> tuple[list[_Blob], dict[str, Any]]:
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
    return [layer, config, manifest], manifest.described(f"{_OCI}.manifest.v1+json")


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
