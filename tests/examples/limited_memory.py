"""Processes that are killed when they take more memory than a pod of Kubernetes might have."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from testcluster.cgroups import hierarchies

_ENTER = 'echo $$ > "$0" && exec "$@"'


@contextmanager
def memory_limit(name: str, limit: int) -> Iterator[Path]:
    """A cgroup whose processes may take so many bytes together; skips where none can be made."""
    mounted = hierarchies(Path("/proc/self/mounts").read_text())
    versions = {"memory.limit_in_bytes", "memory.max"}
    group = next((each for each in mounted if each.name == "memory"), mounted[0]) / name
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made: {error}")
    try:
        files = [group / file for file in versions if (group / file).exists()]
        if not files:
            pytest.skip("cgroups here have no limit of memory")
        files[0].write_text(str(limit))
        yield group
    finally:
        group.rmdir()


@contextmanager
def running_in(group: Path, command: Sequence[str], output: Path) -> Iterator[subprocess.Popen]:
    """A process in a cgroup, which is ended with the body."""
    entering = ["sh", "-c", _ENTER, str(group / "cgroup.procs"), *command]
    with output.open("wb") as log, subprocess.Popen(entering, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
