"""Wires the parts together and owns their order: serve, start Envoy, follow records, drain."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
from envoy.service.discovery.v3 import ads_pb2_grpc

from model_router.envoy.admin import Admin, AdminError
from model_router.envoy.ads import AdsServer
from model_router.envoy.process import EnvoyProcess, EnvoySettings
from model_router.resources.listeners import Listening
from model_router.router.health import Answers, Health, HealthServer
from model_router.router.ledger import Ledger
from model_router.router.model import ModelDriver, ModelStatus, Reason
from model_router.router.source import source_of
from model_router.router.wanted import port_conflicts
from model_router.state.folder import Snapshot

_log = logging.getLogger(__name__)
_COUNT_AGAIN = 0.1  # seconds between counts of connections while clients leave


@dataclass(frozen=True)
class RouterSettings:
    """Everything that can be chosen about a router.

    With a namespace it follows the objects there, and `state_dir` keeps them for the next start;
    without, it follows the files in `state_dir`.
    """

    state_dir: Path
    namespace: str | None
    envoy: EnvoySettings
    listening: Listening
    health_port: int
    drain_seconds: int
    quiet_seconds: float


class Router:
    """One router: the models it drives and the Envoy that carries their requests."""

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self._wake = asyncio.Event()
        self._source = source_of(settings.namespace, settings.state_dir, self._wake.set)
        self._ads = AdsServer()
        self._envoy = EnvoyProcess(settings.envoy)
        self._admin = Admin(settings.envoy.admin_socket)
        self._ledger = Ledger(self._admin, lambda: self._envoy.started)
        self._drivers: dict[str, ModelDriver] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._problems: dict[str, str] = {}
        self._looked = False
        self._draining = False

    def health(self) -> Health:
        """Ready once every record has had its verdict; a bad one does not hold the others back."""
        found = {name: driver.status for name, driver in self._drivers.items()}
        for file, problem in self._problems.items():
            folder, name = file.removesuffix(".json").split("/")
            if folder == "records" and name not in found:
                found[name] = ModelStatus(name, False, Reason.INVALID, problem)
        models = tuple(found[name] for name in sorted(found))
        settled = all(model.reason is not Reason.PENDING for model in models)
        ready = self._looked and settled and self._ads.connected and not self._draining
        return Health(ready, models)

    async def run(self, stop: asyncio.Event) -> None:
        """Route until `stop`, then drain; raises OSError when a port or a file cannot be had."""
        settings = self._settings
        server = grpc.aio.server()
        ads_pb2_grpc.add_AggregatedDiscoveryServiceServicer_to_server(self._ads, server)
        server.add_insecure_port(f"unix:{settings.envoy.ads_socket}")
        answers = Answers(self.health, self._admin.metrics_blocking, self._ledger.document_blocking)
        with HealthServer(settings.listening.address, settings.health_port, answers):
            await server.start()
            try:
                async with asyncio.TaskGroup() as tasks:
                    # First, so that Envoy finds what was on disk when it asks for the first time.
                    await self._look(tasks)
                    tasks.create_task(self._envoy.run())
                    following = tasks.create_task(self._source.run())
                    leaving = tasks.create_task(self._leave(stop))
                    # To the end: requests that come while others end need pods that are there.
                    while not leaving.done():
                        await _set_within(self._wake, self._source.look_again)
                        self._wake.clear()
                        await self._look(tasks)
                    for task in (following, *self._tasks.values()):
                        task.cancel()
            finally:
                await self._envoy.stop()
                await server.stop(None)

    async def _leave(self, stop: asyncio.Event) -> None:
        await stop.wait()
        await self._drain()
        await self._envoy.stop()
        self._wake.set()

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        """Take what is known now and tell every model's driver what it should serve."""
        complete = self._source.complete
        snapshot = await self._source.snapshot()
        self._log_problems(snapshot)
        for name in [name for name, task in self._tasks.items() if task.done()]:
            del self._tasks[name], self._drivers[name]
        in_force = {n: d.in_force for n, d in self._drivers.items() if d.in_force is not None}
        conflicts = port_conflicts(snapshot.records, in_force)
        for name, record in snapshot.records.items():
            if name not in self._drivers:
                self._drivers[name] = self._driver(name)
            driver = self._drivers[name]
            problem = snapshot.problems.get(f"records/{name}.json") or conflicts.get(name)
            if problem:
                driver.reject(problem, snapshot.endpoints)
            else:
                driver.want(record, snapshot.endpoints)
            if name not in self._tasks:
                self._tasks[name] = tasks.create_task(driver.run())
        for name in self._drivers.keys() - snapshot.records.keys():
            self._drivers[name].want(None, {})
        self._looked = complete

    def _driver(self, name: str) -> ModelDriver:
        return ModelDriver(self._ads, name, self._settings.listening, self._ledger)

    def _log_problems(self, snapshot: Snapshot) -> None:
        for file, problem in snapshot.problems.items():
            if self._problems.get(file) != problem:
                _log.error("%s is not used: %s", file, problem)
        self._problems = dict(snapshot.problems)

    async def _drain(self) -> None:
        """Let clients leave, at first those that look for another router, then all others.

        Not ready and still answering, until none is connected or most of the time is over; then
        without taking new connections, until what was asked is answered or all of it is.
        """
        self._draining = True
        seconds = self._settings.drain_seconds
        admin = self._admin
        _log.info("draining, for at most %d s", seconds)
        begin = asyncio.get_running_loop().time()
        try:
            await admin.begin_drain()
            quiet = self._settings.quiet_seconds
            await _until_none(admin.active_connections, quiet, begin + 0.7 * seconds)
            await admin.close_listeners()
            await _until_none(admin.active_requests, 2 * _COUNT_AGAIN, begin + seconds)
        except AdminError as error:
            _log.error("Envoy cannot be drained: %s", error)


async def _until_none(count: Callable[[], Awaitable[int]], seconds: float, end: float) -> None:
    """Wait until the count was 0 for so long, or until the loop's time is `end`."""
    loop = asyncio.get_running_loop()
    none_since = loop.time()
    while loop.time() < end:
        if await count():
            none_since = loop.time()
        elif loop.time() >= none_since + seconds:
            return
        await asyncio.sleep(_COUNT_AGAIN)


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
