"""Where the demo runs: what CLUSTER asks for, and how images get into a cluster that is not ours.

docker, kubectl and kind are stand-ins that write down how they were called: what is tried here is
the command lines, which is all that the demo shares with them.
"""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "hack" / "demo"))

from place import CurrentCluster, DemoError, OwnCluster, choose  # noqa: E402


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH; `add` puts a stand-in there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def add(tools: Path, name: str, says: str = "") -> None:
    """A program that prints `says` and appends its command line to the file `calls`."""
    program = tools / name
    calls = tools.parent / "calls"
    program.write_text(f"#!/bin/sh\necho {name} \"$@\" >> {calls}\necho '{says}'\n")
    program.chmod(0o755)


def calls(tools: Path) -> list[str]:
    return (tools.parent / "calls").read_text().splitlines()


def test_the_demo_makes_a_cluster_of_its_own_by_name() -> None:
    place = choose("own", "mine")

    assert isinstance(place, OwnCluster)
    assert place.kubectl_command[-3:] == ("--name", "mine", "--")


def test_another_word_is_refused_with_the_words_there_are() -> None:
    with pytest.raises(DemoError, match=r"'kind'.*own.*or current"):
        choose("kind")


@pytest.mark.parametrize(
    ("present", "absent"),
    [
        pytest.param(["kubectl", "helm"], "docker or podman", id="no engine"),
        pytest.param(["docker", "helm"], "kubectl", id="no kubectl"),
        pytest.param([], "kubectl, helm, docker or podman", id="nothing"),
    ],
)
def test_a_missing_tool_is_named(tools: Path, present: list[str], absent: str) -> None:
    for name in present:
        add(tools, name)

    with pytest.raises(DemoError, match=f"needs {absent} on the PATH"):
        choose("current")


def current(tools: Path, context: str) -> CurrentCluster:
    for name in ("helm", "docker", "kind", "minikube"):
        add(tools, name)
    add(tools, "kubectl", says=context)
    place = choose("current")
    assert isinstance(place, CurrentCluster)
    return place


@pytest.mark.parametrize(
    ("context", "command"),
    [
        ("kind-blue", "kind load docker-image --name blue localhost/modelfleet/server:dev"),
        ("minikube", "minikube image load localhost/modelfleet/server:dev"),
    ],
)
def test_a_local_cluster_takes_the_image_directly(tools: Path, context: str, command: str) -> None:
    current(tools, context).load("server")

    assert calls(tools)[-1] == command


def test_a_distant_cluster_gets_the_image_by_a_registry(
    tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY", "registry.example.com/me")

    place = current(tools, "production")
    place.load("server")

    assert place.image("server") == "registry.example.com/me/server:dev"
    assert calls(tools)[-2:] == [
        "docker tag localhost/modelfleet/server:dev registry.example.com/me/server:dev",
        "docker push registry.example.com/me/server:dev",
    ]


def test_without_a_registry_a_distant_cluster_is_refused_with_what_to_do(tools: Path) -> None:
    with pytest.raises(DemoError, match=r"production.*Set REGISTRY"):
        current(tools, "production").load("server")
