"""Which cgroups there are depends on the machine: v1, v2 or both."""

from pathlib import Path

import pytest

from testcluster.cgroups import hierarchies

V1 = """\
proc /proc proc rw 0 0
cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0
cgroup /sys/fs/cgroup/pids cgroup rw,pids 0 0
"""
V2 = "cgroup2 /sys/fs/cgroup cgroup2 rw,nsdelegate 0 0\n"
BESIDE = "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
V1_FOUND = [Path("/sys/fs/cgroup/cpuset"), Path("/sys/fs/cgroup/pids")]


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        pytest.param(V1, V1_FOUND, id="v1: one for each controller"),
        pytest.param(V1 + BESIDE, V1_FOUND, id="both: v1 has the controllers"),
        pytest.param(V2, [Path("/sys/fs/cgroup")], id="v2: one for all"),
        pytest.param("proc /proc proc rw 0 0\n", [], id="none"),
    ],
)
def test_hierarchies_are_those_with_controllers(mounts: str, expected: list[Path]) -> None:
    assert hierarchies(mounts) == expected
