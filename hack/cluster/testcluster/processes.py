"""Processes of a cluster: started in the background, remembered, ended by their ids."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testcluster.failures import ClusterError

# Each process writes down its own id and start time and enters its cgroup before it becomes the
# program, so there is no moment in which a program runs that a later command could not find.
_REGISTER = """
read -r stat < /proc/$$/stat && printf '%s\\n' "$stat" > "$1" || exit 125
if [ -n "$2" ]; then echo $$ > "$2/cgroup.procs" || exit 125; fi
shift 2
exec "$@"
"""


@dataclass(frozen=True)
class Placement:
    """Where a process runs: its cgroup's folder, and what it is started through.

    `bound`: the kernel ends the process when the thread that started it ends.
    """

    cgroup: Path | None = None
    through: tuple[str, ...] = ()
    bound: bool = False

    def command(self, record: Path, program: Sequence[str]) -> list[str]:
        """The whole command line of a program in this place."""
        register = ["/bin/sh", "-c", _REGISTER, "register", str(record), str(self.cgroup or "")]
        end_with_parent = ["setpriv", "--pdeathsig", "KILL"] if self.bound else []
        return [*register, *self.through, *end_with_parent, *program]


@dataclass(frozen=True)
class Process:
    """A running program. `started` (clock ticks since boot) tells a recycled id from ours."""

    pid: int
    started: int

    def is_alive(self) -> bool:
        stat = _stat_of(self.pid)
        return stat is not None and stat.started == self.started and not stat.ended


@dataclass(frozen=True)
class Processes:
    """The processes of one cluster, by name, with their logs."""

    records: Path
    logs: Path
    placement: Placement = field(default_factory=Placement)

    def start(
        self,
        name: str,
        program: Sequence[str],
        placement: Placement | None = None,
        inherited: int | None = None,
    ) -> None:
        """Run a program in a session of its own, its output in a log of its name.

        `inherited` is an open descriptor that becomes the program's descriptor 3.
        """
        self.records.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        command = (placement or self.placement).command(self.records / name, program)
        output = os.open(self.logs / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        actions: list[tuple[Any, ...]] = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ]
        if inherited is not None:
            actions.append((os.POSIX_SPAWN_DUP2, inherited, 3))
        try:
            os.posix_spawn(command[0], command, os.environ, file_actions=actions, setsid=True)
        finally:
            os.close(output)

    def remembered(self) -> dict[str, Process]:
        """All that were started, by name; those that ended included."""
        found = {}
        for file in sorted(self.records.glob("*")):
            if stat := _parse(file.read_text()):
                found[file.name] = Process(stat.pid, stat.started)
        return found

    def ended(self) -> list[str]:
        """The names of those that should run and do not."""
        return [name for name, process in self.remembered().items() if not process.is_alive()]

    def end_all(self) -> None:
        """Kill what is alive and wait until it is gone; nothing here has work to save."""
        end(process.pid for process in self.remembered().values() if process.is_alive())

    def wait_until(self, ready: Callable[[], object], what: str, within: float) -> None:
        """Ask again and again until the answer is yes, or something.

        Raises:
            ClusterError: a process ended, or `within` seconds passed; the message has its last
                words.
        """
        limit = time.monotonic() + within
        while not ready():
            if ended := self.ended():
                raise ClusterError(f"{ended[0]} ended:\n{self.last_words(ended[0])}")
            if time.monotonic() > limit:
                raise ClusterError(f"{what}: not within {within:g} s; logs are in {self.logs}")
            time.sleep(0.05)

    def last_words(self, name: str, lines: int = 15) -> str:
        """The end of a process's log."""
        said = (self.logs / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(said[-lines:])


def end(pids: Iterable[int], within: float = 10.0) -> None:
    """Kill processes by id and wait until they are gone."""
    killed = list(pids)
    for pid in killed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    limit = time.monotonic() + within
    while _any_is_left(killed) and time.monotonic() < limit:
        time.sleep(0.02)


@dataclass(frozen=True)
class _Stat:
    pid: int
    ended: bool
    started: int


def _any_is_left(pids: Collection[int]) -> bool:
    for pid in pids:
        # Children of this very program stay zombies until they are asked for.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
    return any((stat := _stat_of(pid)) is not None and not stat.ended for pid in pids)


def _stat_of(pid: int) -> _Stat | None:
    try:
        return _parse(Path(f"/proc/{pid}/stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return None


def _parse(line: str) -> _Stat | None:
    """A line of /proc/PID/stat; proc(5). The second field, the command, may hold spaces."""
    before, parenthesis, after = line.rpartition(")")
    fields = after.split()
    if not parenthesis or len(fields) < 20:
        return None
    return _Stat(int(before.split()[0]), fields[0] in "ZX", int(fields[19]))
