"""The test cluster's command line, and what a cluster leaves on the machine."""

import subprocess
import sys
import time
from pathlib import Path

from testcluster import Cluster, CommandFailed
from testcluster.folders import clusters_folder

COMMAND = Path(__file__).parents[1] / "hack" / "cluster" / "cluster"
WEB = (Path(__file__).parent / "cluster" / "web.yaml").read_text()


def run(*words: str) -> "subprocess.CompletedProcess[str]":
    """What a command of the cluster's command line printed, and its exit code."""
    command = [sys.executable, str(COMMAND), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def serve_web(cluster: Cluster, namespace: str) -> None:
    """Run two web pods behind a Service, on different nodes if there are two.

    Waits until the Service answers, which the rules of a node may do a second after its pods.
    """
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=WEB)
    cluster.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=180s")
    ends = time.monotonic() + 180
    while not _answers(cluster, namespace) and time.monotonic() < ends:
        time.sleep(0.2)


def in_pod(cluster: Cluster, namespace: str, *words: str) -> str:
    """What the program of the test cluster's image prints in one of the web pods."""
    return cluster.kubectl("exec", "-n", namespace, "deployment/web", "--", "/pod", *words)


def _answers(cluster: Cluster, namespace: str) -> bool:
    try:
        return bool(in_pod(cluster, namespace, "get", "http://web"))
    except CommandFailed:
        return False


def traces(name: str) -> list[str]:
    """Whatever is on the machine that bears a cluster's name, as text."""
    folder = clusters_folder() / name
    return [
        *map(str, Path("/run/netns").glob(f"testcluster-{name}-node-*")),
        *map(str, Path("/sys/fs/cgroup").glob(f"*/testcluster-{name}")),
        *map(str, Path("/sys/fs/cgroup").glob(f"testcluster-{name}")),
        *(line for line in Path("/proc/mounts").read_text().splitlines() if str(folder) in line),
        *(str(process) for process in Path("/proc").glob("[0-9]*") if _mentions(process, folder)),
        *([str(folder)] if folder.exists() else []),
    ]


def _mentions(process: Path, folder: Path) -> bool:
    try:
        return f"{folder}/".encode() in (process / "cmdline").read_bytes()
    except OSError:
        return False
