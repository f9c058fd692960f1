"""The cgroups of one cluster: all that it runs is in them, so all of it can be found and ended."""

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path

from testcluster.failures import ClusterError
from testcluster.processes import end

_MOUNTS = Path("/proc/self/mounts")
_PROCESSES = "processes"
_CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")


def hierarchies(mounts: str) -> list[Path]:
    """The mount points of all cgroup v1 hierarchies, or else of the one of v2."""
    first = _mounted(mounts, "cgroup")
    return first or _mounted(mounts, "cgroup2")


def _mounted(mounts: str, kind: str) -> list[Path]:
    fields = [line.split() for line in mounts.splitlines()]
    return [Path(point) for _, point, type_, *_ in fields if type_ == kind]


def _tops(name: str) -> list[Path]:
    """A cluster's cgroup in every hierarchy; runc uses v2 beside v1 where both are mounted."""
    mounts = _MOUNTS.read_text()
    found = [*_mounted(mounts, "cgroup"), *_mounted(mounts, "cgroup2")]
    return [top for hierarchy in found for top in hierarchy.glob(name)]


def make(name: str, nodes: Iterable[str]) -> None:
    """Make a cluster's cgroups: one for its processes, and one for the pods of each node."""
    for hierarchy in hierarchies(_MOUNTS.read_text()):
        # Parents first: a cgroup of v1 can hold processes only once its cpuset is filled.
        for path in (name, f"{name}/{_PROCESSES}", *(f"{name}/{node}" for node in nodes)):
            _make_one(hierarchy / path)


def of_processes(name: str) -> Path:
    """The folder of the cgroup that a process of the cluster enters, by its cgroup.procs."""
    mounted = {hierarchy.name: hierarchy for hierarchy in hierarchies(_MOUNTS.read_text())}
    return mounted.get("pids", next(iter(mounted.values()))) / name / _PROCESSES


def exists(name: str) -> bool:
    """Whether anything is left of a cluster's cgroups; a pattern stands for any that fits."""
    return bool(_tops(name))


def remove(name: str, within: float = 20.0) -> None:
    """End every process in a cluster's cgroups, and remove them.

    Raises:
        ClusterError: a process did not end within that many seconds.
    """
    limit = time.monotonic() + within
    while left := _processes(name):
        if time.monotonic() > limit:
            raise ClusterError(f"processes {sorted(left)} of {name} do not end")
        end(left, within=1.0)
    for top in _tops(name):
        for folder in [*sorted(top.rglob("*/"), reverse=True), top]:
            folder.rmdir()


def _make_one(cgroup: Path) -> None:
    cgroup.mkdir(exist_ok=True)
    if (cgroup / _CPUSET_FILES[0]).exists() and cgroup.parent.joinpath("tasks").exists():
        for file in _CPUSET_FILES:
            (cgroup / file).write_text((cgroup.parent / file).read_text())
    shared = cgroup.parent / "cgroup.subtree_control"
    if shared.exists():
        offered = (cgroup.parent / "cgroup.controllers").read_text().split()
        shared.write_text(" ".join(f"+{controller}" for controller in offered))


def _processes(name: str) -> set[int]:
    found: set[int] = set()
    for top in _tops(name):
        for members in top.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):
                found.update(int(pid) for pid in members.read_text().split())
    return found
