"""A cluster with modelfleet installed the way a newcomer does it: by the demo itself."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TextIO

import pytest

from installed import ROOT, Installed
from testcluster import Cluster


@pytest.fixture(scope="session")
def installed(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Installed:
    """modelfleet on the test cluster, with the demo's models in their claim.

    The first worker runs the demo; the others wait for it and read what it told.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    told, failed = shared / "demo-told", shared / "demo-failed"
    with (shared / "demo-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            with told.open("w") as out:
                ended = _demo(cluster.name, out)
            if ended != 0:
                failed.touch()
    assert not failed.exists(), told.read_text()
    return Installed(cluster.name, told.read_text())


def _demo(name: str, out: TextIO) -> int:
    return subprocess.run(
        [sys.executable, ROOT / "hack" / "demo", "up"],
        env={**os.environ, "CLUSTER": "own", "CLUSTER_NAME": name},
        stdout=out,
        stderr=subprocess.STDOUT,
        check=False,
    ).returncode


@pytest.fixture
def deployment(installed: Installed) -> Iterator[Callable[[str, str], None]]:
    """Applies a ModelDeployment by name and spec (JSON), and removes it after the test."""
    applied: list[str] = []

    def apply(name: str, spec: str) -> None:
        applied.append(name)
        manifest = {
            "apiVersion": "modelfleet.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": name},
            "spec": json.loads(spec),
        }
        installed.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    yield apply
    for name in applied:
        installed.kubectl("delete", "modeldeployment", name, "--ignore-not-found")
