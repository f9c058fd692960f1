"""Which binaries are used, and when they are built anew."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from testcluster import binaries

COMMAND = Path(__file__).parents[2] / "hack" / "cluster" / "cluster"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module example")
    (folder / "go.sum").write_text("a v1 h1:x")
    return folder


def test_the_key_of_a_module_stays_while_nothing_changes(module: Path) -> None:
    assert binaries.cache_key(module, "-s") == binaries.cache_key(module, "-s")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        pytest.param("go.sum", "a v2 h1:y", id="a pinned version"),
        pytest.param("go.mod", "module other", id="the module"),
        pytest.param("main.go", "package main", id="a source"),
    ],
)
def test_the_key_of_a_module_changes_with_its_files(module: Path, file: str, content: str) -> None:
    before = binaries.cache_key(module, "-s")

    (module / file).write_text(content)

    assert binaries.cache_key(module, "-s") != before


def test_the_key_of_a_module_changes_with_the_linker_flags(module: Path) -> None:
    assert binaries.cache_key(module, "-s") != binaries.cache_key(module, "-w")


def test_the_programs_of_kubernetes_carry_the_pinned_version() -> None:
    version = binaries.kubernetes_version()

    assert f"component-base/version.gitVersion={version} " in binaries.linker_flags("kubernetes")


def test_every_program_is_in_a_module_that_is_there() -> None:
    modules = {folder.name for folder in binaries.MODULES.iterdir()}

    assert {program.module for program in binaries.PROGRAMS.values()} == modules


def test_what_developers_keep_is_taken_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shutil.copy("/bin/true", tmp_path / "etcd")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    assert binaries.location("etcd") == tmp_path / "etcd"


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("kubectl", id="it is not there"),
        pytest.param("kubelet", id="it is not one of the usual three"),
    ],
)
def test_what_developers_do_not_keep_comes_from_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "kubelet").touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    assert binaries.location(name).parent.parent.name == "binaries"


@pytest.mark.api
def test_a_build_that_was_interrupted_is_done_again(tmp_path: Path) -> None:
    program = _build_pod(tmp_path)
    program.write_bytes(b"")
    (program.parent / ".pod.123").write_text("half of it")

    assert _build_pod(tmp_path) == program

    assert program.stat().st_size > 0
    assert [file.name for file in program.parent.iterdir()] == ["pod"]


def _build_pod(cache: Path) -> Path:
    built = subprocess.run(
        [sys.executable, COMMAND, "build", "pod"],
        env={**os.environ, "MODELFLEET_CACHE": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(built.stdout.strip())
