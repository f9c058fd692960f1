"""Clusters stand side by side, heal, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster_command import COMMAND, in_pod, run, serve_web, traces
from testcluster import Cluster, Wish
from testcluster.addresses import Node
from testcluster.folders import clusters_folder
from testcluster.ports import listener

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def second(cluster: Cluster) -> Iterator[Cluster]:
    """A cluster of two nodes beside the session's."""
    beside = Cluster("beside")
    beside.up(Wish(nodes=2))
    yield beside
    beside.down()


def test_clusters_side_by_side_do_not_know_each_other(cluster: Cluster, second: Cluster) -> None:
    identity = ("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}")

    assert cluster.kubectl(*identity) != second.kubectl(*identity)
    assert cluster.kubectl("get", "nodes", "-o", "name").split() == ["node/node-1"]


def test_pods_of_two_nodes_reach_each_other(second: Cluster) -> None:
    serve_web(second, "web")
    on_nodes = second.kubectl(
        *("get", "pods", "-n", "web", "-o", "jsonpath={.items[*].spec.nodeName}")
    )
    pods = second.kubectl(*("get", "pods", "-n", "web", "-o", "jsonpath={.items[*].metadata.name}"))

    answers = {in_pod(second, "web", "get", "http://web").strip() for _ in range(20)}

    assert sorted(on_nodes.split()) == ["node-1", "node-2"]
    assert answers == set(pods.split())


def test_a_cluster_that_lost_a_process_is_made_anew(second: Cluster) -> None:
    record = second.folder.path / "processes" / "node-1-kubelet"
    os.kill(int(record.read_text().split()[0]), signal.SIGKILL)
    told = run("status", "--name", second.name)

    second.up()

    assert told.returncode == 1
    assert "ended: node-1-kubelet" in told.stdout
    assert second.is_healthy()
    assert second.ready_nodes() == ["node-1"]


def test_a_name_that_is_in_use_elsewhere_is_refused(
    second: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MODELFLEET_STATE", str(tmp_path / "state"))

    refused = run("up", "--name", second.name)

    assert refused.returncode == 1
    assert f"network namespace testcluster-{second.name}-node-1" in refused.stderr
    assert f"cluster down --name {second.name}" in refused.stderr
    assert not (tmp_path / "state").exists()


def test_nothing_is_left_of_a_cluster_with_pods(cluster: Cluster, second: Cluster) -> None:
    serve_web(second, "last")

    second.down()

    assert traces(second.name) == []
    assert cluster.is_healthy()


@pytest.fixture
def interrupted() -> Iterator[Cluster]:
    """A cluster whose `up` was killed as soon as something of it was there."""
    name = "interrupted"
    with subprocess.Popen([sys.executable, COMMAND, "up", "--name", name]) as starting:
        record = clusters_folder() / name / "processes" / "kube-apiserver"
        limit = time.monotonic() + 180
        while not record.exists() and time.monotonic() < limit:
            time.sleep(0.01)
        starting.kill()
    yield Cluster(name)
    Cluster(name).down()


def test_an_up_that_was_interrupted_is_healed_by_the_next(interrupted: Cluster) -> None:
    assert Node(interrupted.name, 1).namespace_file.exists()

    interrupted.up()

    assert interrupted.is_healthy()


def test_nothing_is_left_of_an_up_that_was_interrupted(interrupted: Cluster) -> None:
    assert traces(interrupted.name) != []

    down = run("down", "--name", interrupted.name)

    assert down.returncode == 0, down.stderr
    assert traces(interrupted.name) == []


def test_taking_down_what_is_not_there_does_nothing() -> None:
    assert run("down", "--name", "never-there").returncode == 0


def test_a_port_in_use_is_named() -> None:
    with listener() as taken:
        port = taken.getsockname()[1]

        refused = run("up", "--name", "never-there", "--port", str(port))

    assert refused.returncode == 1
    assert f"port {port} on 127.0.0.1 cannot be had" in refused.stderr
    assert traces("never-there") == []
