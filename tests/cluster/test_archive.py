"""Image archives hold what containerd needs to trust and run them."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from testcluster import archive
from testcluster.archive import ProgramImage


def _contents(archived: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archived)) as opened:
        return {name: opened.extractfile(name).read() for name in opened.getnames()}  # type: ignore[union-attr]


def _blob(contents: dict[str, bytes], described: dict[str, Any]) -> bytes:
    return contents[f"blobs/{described['digest'].replace(':', '/')}"]


@pytest.fixture
def program(tmp_path: Path) -> dict[str, bytes]:
    (tmp_path / "pause").write_bytes(b"a static program")
    archive.write([ProgramImage("local/pause:1", tmp_path / "pause")], tmp_path / "images.tar")
    return _contents((tmp_path / "images.tar").read_bytes())


def test_every_blob_is_named_by_its_digest(program: dict[str, bytes]) -> None:
    blobs = {name: content for name, content in program.items() if name.startswith("blobs/")}

    assert len(blobs) == 3
    assert blobs == {
        f"blobs/sha256/{hashlib.sha256(content).hexdigest()}": content for content in blobs.values()
    }


def test_an_image_of_a_program_runs_it(program: dict[str, bytes]) -> None:
    [named] = json.loads(program["index.json"])["manifests"]
    manifest = json.loads(_blob(program, named))
    config = json.loads(_blob(program, manifest["config"]))
    layer = _contents(_blob(program, manifest["layers"][0]))

    assert named["annotations"] == {"io.containerd.image.name": "local/pause:1"}
    assert config["config"]["Entrypoint"] == ["/pause"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]
    assert layer == {"pause": b"a static program"}


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    """What an engine writes for an image of two layers."""
    folder = tmp_path / "pushed"
    folder.mkdir()
    parts = [
        {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}
        for content in (b"base", b"code", b"{}")
    ]
    for part, content in zip(parts, (b"base", b"code", b"{}"), strict=True):
        (folder / str(part["digest"]).removeprefix("sha256:")).write_bytes(content)
    manifest = {"mediaType": "any", "config": parts[2], "layers": parts[:2]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_all_layers_go_where_none_is_known(pushed: Path) -> None:
    out = io.BytesIO()

    archive.stream(pushed, "local/server:dev", frozenset(), out)

    contents = _contents(out.getvalue())
    [named] = json.loads(contents["index.json"])["manifests"]
    manifest = json.loads(_blob(contents, named))
    assert [_blob(contents, layer) for layer in manifest["layers"]] == [b"base", b"code"]


def test_a_known_layer_stays_out(pushed: Path) -> None:
    out = io.BytesIO()
    known = {"sha256:" + hashlib.sha256(b"base").hexdigest()}

    archive.stream(pushed, "local/server:dev", known, out)

    assert b"base" not in _contents(out.getvalue()).values()
    assert b"code" in _contents(out.getvalue()).values()
