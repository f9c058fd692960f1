"""Wires the parts together and owns their order: serve, start Envoy, follow the folder, drain."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
from envoy.service.discovery.v3 import ads_pb2_grpc

from model_router.envoy.admin import Admin, AdminError
from model_router.envoy.ads import AdsServer
from model_router.envoy.process import EnvoyProcess, EnvoySettings
from model_router.router.health import Health, HealthServer
from model_router.router.model import ModelDriver, ModelStatus, Reason
from model_router.router.wanted import port_conflicts
from model_router.state.folder import Snapshot, StateFolder

_log = logging.getLogger(__name__)
_LOOK_AGAIN = 0.1  # seconds; a look costs about 1 ms with 200 models


@dataclass(frozen=True)
class RouterSettings:
    """Everything that can be chosen about a router."""

    state_dir: Path
    envoy: EnvoySettings
    listen_address: str
    health_port: int
    drain_seconds: int
    quiet_seconds: float


class Router:
    """One router: the models it drives and the Envoy that carries their requests."""

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self._folder = StateFolder(settings.state_dir)
        self._ads = AdsServer()
        self._envoy = EnvoyProcess(settings.envoy)
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
        with HealthServer(settings.listen_address, settings.health_port, self.health):
            await server.start()
            try:
                async with asyncio.TaskGroup() as tasks:
                    # First, so that Envoy finds what was on disk when it asks for the first time.
                    await self._look(tasks)
                    tasks.create_task(self._envoy.run())
                    while not await _set_within(stop, _LOOK_AGAIN):
                        await self._look(tasks)
                    await self._drain()
                    await self._envoy.stop()
                    for task in self._tasks.values():
                        task.cancel()
            finally:
                await self._envoy.stop()
                await server.stop(None)

    async def _look(self, tasks: asyncio.TaskGroup) -> None:
        """Read the folder and tell every model's driver what it should serve."""
        snapshot = await asyncio.to_thread(self._folder.read)
        self._log_problems(snapshot)
        for name in [name for name, task in self._tasks.items() if task.done()]:
            del self._tasks[name], self._drivers[name]
        in_force = {n: d.in_force for n, d in self._drivers.items() if d.in_force is not None}
        conflicts = port_conflicts(snapshot.records, in_force)
        for name, record in snapshot.records.items():
            if name not in self._drivers:
                self._drivers[name] = ModelDriver(self._ads, name, self._settings.listen_address)
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
        self._looked = True

    def _log_problems(self, snapshot: Snapshot) -> None:
        for file, problem in snapshot.problems.items():
            if self._problems.get(file) != problem:
                _log.error("%s is not used: %s", file, problem)
        self._problems = dict(snapshot.problems)

    async def _drain(self) -> None:
        """Wait until clients have gone: none connected for a while, or the time is over."""
        self._draining = True
        loop = asyncio.get_running_loop()
        admin = Admin(self._settings.envoy.admin_socket)
        _log.info("draining, for at most %d s", self._settings.drain_seconds)
        end = loop.time() + self._settings.drain_seconds
        try:
            await admin.begin_drain()
            quiet_since = loop.time()
            while loop.time() < min(end, quiet_since + self._settings.quiet_seconds):
                await asyncio.sleep(_LOOK_AGAIN)
                if await admin.active_connections():
                    quiet_since = loop.time()
        except AdminError as error:
            _log.error("Envoy cannot be drained: %s", error)


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
