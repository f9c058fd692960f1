"""A cluster with modelfleet installed the way a newcomer does it: by the demo itself."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from installed import ROOT, Installed


@pytest.fixture(scope="session")
def installed(cluster: Any) -> Installed:
    """modelfleet on the test cluster, with the demo's models in their claim."""
    told = subprocess.run(
        [sys.executable, ROOT / "hack" / "demo", "up"],
        env={**os.environ, "CLUSTER": "own", "CLUSTER_NAME": cluster.name},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout
    return Installed(cluster.name, told.stdout)


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
