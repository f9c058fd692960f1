"""A way between two ports of loopback that can be cut, mended, and led elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml


class Relay:
    """Hands bytes on to the port that `target` names when a client connects."""

    def __init__(self, target: Callable[[], int]) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self.port = 0

    def cut(self) -> None:
        """End every connection, and every new one as soon as it comes.

        The port stays: somebody else could take it until the way is mended.
        """
        self._is_cut = True
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.cut()
        self._server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target())
            self._open |= {writer, back}
            await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    target.close()


class ApiRelay(Relay):
    """The way to an API server, which keeps its TLS."""

    def __init__(self, kubeconfig: Path) -> None:
        self._known = yaml.safe_load(kubeconfig.read_text())
        port = urlsplit(self._known["clusters"][0]["cluster"]["server"]).port
        super().__init__(lambda: int(port or 443))

    def kubeconfig(self, folder: Path, token: str = "") -> Path:
        """A kubeconfig that leads through the relay, as the user whose token it is."""
        self._known["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        if token:
            self._known["users"][0]["user"] = {"token": token}
        path = folder / "relayed-kubeconfig"
        path.write_text(yaml.safe_dump(self._known))
        return path
