"""Envoy's admin interface, over its UNIX socket."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from pathlib import Path

_TIMEOUT = 5.0
_STATS = "/stats?format=json&filter=^http\\..*\\."


class AdminError(Exception):
    """Envoy's admin interface did not answer as it should."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_TIMEOUT)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT)
        self.sock.connect(str(self._path))


class Admin:
    """Asks and tells the Envoy behind one socket; every method raises AdminError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def begin_drain(self) -> None:
        """Make Envoy ask its clients to go elsewhere, with every answer it gives."""
        await self._call("POST", "/healthcheck/fail")

    async def close_listeners(self) -> None:
        """Take no more connections; those that are open stay."""
        await self._call("POST", "/drain_listeners")

    async def active_connections(self) -> int:
        """The number of clients' connections that are open."""
        return await self._sum("downstream_cx_active")

    async def active_requests(self) -> int:
        """The number of clients' requests that have not been answered."""
        return await self._sum("downstream_rq_active")

    def metrics_blocking(self) -> bytes:
        """What Envoy has counted, in Prometheus' text format; what was never used is left out."""
        return self._call_blocking("GET", "/stats/prometheus?usedonly")

    def read_blocking(self, path: str) -> bytes:
        """What the admin interface tells under a path."""
        return self._call_blocking("GET", path)

    async def _sum(self, gauge: str) -> int:
        stats = json.loads(await self._call("GET", f"{_STATS}{gauge}$"))["stats"]
        return sum(s["value"] for s in stats if not s["name"].startswith("http.admin."))

    async def _call(self, method: str, path: str) -> bytes:
        return await asyncio.to_thread(self._call_blocking, method, path)

    def _call_blocking(self, method: str, path: str) -> bytes:
        connection = _UnixConnection(self._path)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            raise AdminError(f"{method} {path}: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise AdminError(f"{method} {path}: HTTP {response.status}")
        return body
