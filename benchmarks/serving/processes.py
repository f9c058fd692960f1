"""A server's processes: started, asked until the answer is right, measured, and ended."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import grpc
import numpy as np
import psutil

from benchmarks.serving.models import Row
from benchmarks.serving.wire import Protocol

_PATIENCE = 240.0
# Of a gRPC frame before its message.
_PREFIX = 5
_LOOK_AGAIN = 0.02


@dataclass(frozen=True)
class Command:
    """What to run: its words, what to add to the environment, and the ports it listens on."""

    words: Sequence[str]
    grpc_port: int
    rest_port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


class NoAnswer(Exception):
    """A server that did not come up; its message ends with what it wrote last."""


@dataclass(frozen=True)
class Server:
    """A running server, and the seconds from its start to its first right answer."""

    command: Command
    process: psutil.Process
    started_in: float = 0.0

    def cpu_seconds(self) -> float:
        """Processor time of all its processes so far."""
        return sum(
            times.user + times.system
            for each in self._processes()
            if (times := _or_none(each.cpu_times))
        )

    def memory_mib(self) -> float:
        """Proportional set size of all its processes: what is shared counts once."""
        return (
            sum(
                found.pss
                for each in self._processes()
                if (found := _or_none(each.memory_full_info))
            )
            / 2**20
        )

    def _processes(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]


def _or_none(ask):  # type: ignore[no-untyped-def]
    try:
        return ask()
    except psutil.Error:
        # It ended meanwhile.
        return None


@contextmanager
def serving(command: Command, protocol: Protocol, right: Row, log: IO[bytes]) -> Iterator[Server]:
    """Starts a server, waits for the right answer over each API, and ends it after the block.

    Raises NoAnswer.
    """
    began = time.monotonic()
    child = subprocess.Popen(
        command.words,
        env=os.environ | command.environment,
        cwd=command.folder,
        stdout=log,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    try:
        _until_right(command, protocol, right, child)
        started_in = time.monotonic() - began
        yield Server(command, psutil.Process(child.pid), started_in)
    finally:
        _end(child)


def _until_right(
    command: Command, protocol: Protocol, right: Row, child: "subprocess.Popen[bytes]"
) -> None:
    until = time.monotonic() + _PATIENCE
    missing = "no answer"
    asks = [lambda: grpc_answer(command.grpc_port, protocol)]
    if command.rest_port is not None:
        port = command.rest_port
        asks.append(lambda: rest_answer(port, protocol))
    while asks:
        try:
            answer = asks[0]()
            if answer.size == right.size and np.allclose(answer, right.ravel(), 1e-3, 1e-4):
                asks.pop(0)
                continue
            missing = f"a wrong answer: {answer}"
        except (OSError, grpc.RpcError, http.client.HTTPException, ValueError, LookupError) as no:
            missing = f"{type(no).__name__}: {no}"
        if child.poll() is not None or time.monotonic() > until:
            raise NoAnswer(f"{missing}; exit status {child.poll()}")
        time.sleep(_LOOK_AGAIN)


def grpc_answer(port: int, protocol: Protocol) -> Row:
    """Asks once. Raises grpc.RpcError, ValueError."""
    return protocol.grpc_answer(grpc_message(port, protocol))


def grpc_message(port: int, protocol: Protocol) -> bytes:
    """The bytes of one answer. Raises grpc.RpcError."""
    options = [("grpc.initial_reconnect_backoff_ms", 20), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        answer: bytes = channel.unary_unary(protocol.grpc_path)(protocol.grpc_message, timeout=20)
        return answer


def grpc_answer_bytes(port: int, protocol: Protocol) -> int:
    """How many bytes an answer has as gRPC frames it. Raises grpc.RpcError."""
    return len(grpc_message(port, protocol)) + _PREFIX


def rest_answer(port: int, protocol: Protocol) -> Row:
    """Asks once. Raises OSError, ValueError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(
            "POST", protocol.rest_path, protocol.rest_body, {"Content-Type": "application/json"}
        )
        return protocol.rest_answer(connection.getresponse().read())
    finally:
        connection.close()


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ends the process and all that it started, which have a process group of their own."""
    for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue
