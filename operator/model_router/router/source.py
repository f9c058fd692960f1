"""Where the router's records and endpoints come from: files, or the objects of its namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from model_router.cluster.connection import connect
from model_router.cluster.follow import Follower
from model_router.state.folder import Snapshot, StateFolder
from model_router.state.kept import KeptState


class Source(Protocol):
    """What a router follows."""

    @property
    def complete(self) -> bool:
        """Whether a snapshot holds all that should be served."""

    @property
    def look_again(self) -> float:
        """The longest time in seconds from one look to the next."""

    async def snapshot(self) -> Snapshot:
        """All records and endpoints at this moment."""

    async def run(self) -> None:
        """Follow what changes, for as long as there is something to do."""


class FolderSource:
    """The files of a folder, which others write."""

    complete = True
    look_again = 0.1  # a look costs about 1 ms with 200 models

    def __init__(self, folder: Path) -> None:
        self._folder = StateFolder(folder)

    async def snapshot(self) -> Snapshot:
        """What the folder holds now."""
        return await asyncio.to_thread(self._folder.read)

    async def run(self) -> None:
        """Nothing to do: every look reads the folder."""


class ClusterSource:
    """The objects of a namespace; a folder keeps them for the next start."""

    look_again = 1.0  # every change is told as well

    def __init__(self, namespace: str, folder: Path, changed: Callable[[], None]) -> None:
        self._namespace = namespace
        self._state = KeptState(folder)
        self._changed = changed
        self._follower: Follower | None = None
        # After a restart the last known state may serve while the API server is away.
        self._began_with_records = bool(self._state.snapshot().records)

    @property
    def complete(self) -> bool:
        """Whether there was a last known state, or everything has been listed since."""
        return self._began_with_records or (self._follower is not None and self._follower.synced)

    async def snapshot(self) -> Snapshot:
        """The last known good state."""
        return self._state.snapshot()

    async def run(self) -> None:
        """Follow the namespace; raises NotConnected when nothing says where the cluster is."""
        async with await connect() as api:
            self._follower = Follower(api, self._namespace, self._state, self._changed)
            await self._follower.run()
