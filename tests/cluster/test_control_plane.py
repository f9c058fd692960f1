"""A control plane on loopback: what tests of API behaviour stand on."""

import json
from pathlib import Path

import pytest

from cluster_command import run, traces
from testcluster import CommandFailed, Contents, ControlPlane
from testcluster.audit import Write

pytestmark = pytest.mark.api


def test_kubectl_finds_the_api_server(control_plane: ControlPlane) -> None:
    assert "kube-system" in control_plane.kubectl("get", "namespaces")


def test_a_refusal_carries_the_words_of_the_api_server(control_plane: ControlPlane) -> None:
    with pytest.raises(CommandFailed, match='namespaces "absent" not found'):
        control_plane.kubectl("get", "namespace", "absent")


def test_every_write_is_known_by_who_made_it(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "namespace", "written")

    made = [write for write in control_plane.writes() if write.name == "written"]

    assert [(write.verb, write.resource, write.code) for write in made] == [
        ("create", "namespaces", 201)
    ]
    assert made[0].agent.startswith("kubectl")


def test_reads_are_not_written_down(control_plane: ControlPlane) -> None:
    before = _writes_of_kubectl(control_plane)

    control_plane.kubectl("get", "configmaps", "-A")

    assert _writes_of_kubectl(control_plane) == before


def _writes_of_kubectl(control_plane: ControlPlane) -> list[Write]:
    """Without those of the API server itself, which renews its lease at any moment."""
    return [write for write in control_plane.writes() if write.agent.startswith("kubectl")]


def test_it_ends_with_its_block() -> None:
    with ControlPlane() as plane:
        folder = plane.folder.path

    assert not folder.exists()
    assert plane.ended() == []


def test_kwok_answers_for_pods_on_nodes_with_accelerators() -> None:
    with ControlPlane(Contents(kwok_nodes=2, accelerators={"nvidia.com/gpu": 8})) as plane:
        plane.kubectl("create", "deployment", "served", "--image=any", "--replicas=20")
        plane.kubectl("rollout", "status", "deployment/served", "--timeout=180s")
        nodes = json.loads(plane.kubectl("get", "nodes", "-o", "json"))["items"]

    assert [node["status"]["allocatable"]["nvidia.com/gpu"] for node in nodes] == ["8", "8"]


def test_one_of_a_name_lives_until_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MODELFLEET_STATE", str(tmp_path / "state"))
    up = ("up", "--control-plane", "--name", "kept")

    first, again = run(*up), run(*up)
    status, missing = run("status", "--name", "kept"), run("status", "--name", "other")
    good = run("kubectl", "--name", "kept", "--", "get", "namespaces")
    bad = run("kubectl", "--name", "kept", "get", "nonsense")
    whole = run("up", "--name", "kept")
    down = run("down", "--name", "kept")

    assert (first.returncode, again.returncode, status.returncode) == (0, 0, 0), first.stderr
    assert again.stderr == ""
    assert missing.returncode == 1
    assert "there is no cluster other" in missing.stderr
    assert (good.returncode, bad.returncode) == (0, 1)
    assert "kept is a control-plane cluster: take another --name" in whole.stderr
    assert down.returncode == 0
    assert traces("kept") == []
    assert not (tmp_path / "state").exists()
