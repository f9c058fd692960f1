"""Groups of servers, each a process, and what the system tells of them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testcluster.ports import free_ports

MODEL = "recommender"
_PATIENCE = 600.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAUSE = 0.02


@dataclass(frozen=True)
class Serving:
    """What all servers have in common: the model's base path, and further flags."""

    base_path: Path
    flags: tuple[str, ...] = ()


class Member:
    """A server of a group, which is started again where it was."""

    def __init__(self, command: Sequence[str], ports: tuple[int, int]) -> None:
        self.grpc_port, self.rest_port = ports
        self._command = command
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 — as long as the process
        return subprocess.Popen(self._command, stdout=self._said, stderr=self._said)

    def check(self) -> None:
        """Raises RuntimeError, with its last words, where it has ended by itself."""
        if self._process.poll() is not None:
            self._said.seek(0)
            words = self._said.read()[-2000:].decode(errors="replace")
            raise RuntimeError(f"a server ended with {self._process.returncode}: {words}")

    def reason(self) -> str:
        """Why it is not ready, as it says itself; Available if it is, empty if it says nothing."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.rest_port}/readyz", timeout=5
            ) as a:
                said = json.load(a)
        except urllib.error.HTTPError as error:
            said = json.load(error)
        except OSError:
            return ""
        return str(said["models"][0]["reason"]) if said["models"] else ""

    def cpu_seconds(self) -> float:
        """What it took of processors until now."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def peak_bytes(self) -> int:
        """The most memory that it ever had."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def start_again(self) -> None:
        """After it was killed."""
        self._process = self._started()

    def ask_to_end(self) -> None:
        """As its owner does."""
        self._process.terminate()

    def wait(self) -> None:
        """Until it has ended."""
        self._process.wait()


@dataclass(frozen=True)
class Group:
    """All members of a group, and how long they took until they were ready."""

    members: Sequence[Member]
    seconds_to_load: float

    def cpu_seconds(self) -> float:
        """Of all members."""
        return sum(member.cpu_seconds() for member in self.members)

    def peak_bytes(self) -> int:
        """Of the member that had most."""
        return max(member.peak_bytes() for member in self.members)

    def wait_until_ready(self) -> None:
        """Until each says so. Raises TimeoutError."""
        for member in self.members:
            wait_for(member, {"Available"})


def wait_for(member: Member, reasons: set[str]) -> None:
    """Wait until a member gives one of these reasons.

    Raises:
        TimeoutError: it does not, or its model cannot be loaded.
        RuntimeError: it has ended.
    """
    until = time.monotonic() + _PATIENCE
    while (said := member.reason()) not in reasons:
        member.check()
        if said == "LoadFailed" or time.monotonic() > until:
            raise TimeoutError(f"the server at port {member.rest_port} says {said!r}")
        time.sleep(_PAUSE)


@contextmanager
def group(serving: Serving, shards: int) -> Iterator[Group]:
    """A group that is ready; a single server where `shards` is 1."""
    ports = free_ports(2 * shards)
    grpc, rest = ports[:shards], ports[shards:]
    listed = ",".join(f"127.0.0.1:{port}" for port in grpc)
    began = time.monotonic()
    members = []
    try:
        for rank in range(shards):
            places = [f"--shard_members={listed}", f"--shard_rank={rank}"] if shards > 1 else []
            mine = [f"--port={grpc[rank]}", f"--rest_api_port={rest[rank]}", *places]
            members.append(Member([*_command(serving), *mine], (grpc[rank], rest[rank])))
        started = Group(members, 0.0)
        started.wait_until_ready()
        yield Group(members, time.monotonic() - began)
    finally:
        for member in members:
            member.ask_to_end()
        for member in members:
            member.wait()


def _command(serving: Serving) -> list[str]:
    return [
        *(sys.executable, "-m", "model_server", f"--model_name={MODEL}"),
        f"--model_base_path={serving.base_path}",
        *serving.flags,
    ]
