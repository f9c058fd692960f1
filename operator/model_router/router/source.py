"""Where the router's records and endpoints come from: files, or the objects of its namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from model_router.state.folder import Snapshot, StateFolder


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


def source_of(namespace: str | None, folder: Path, changed: Callable[[], None]) -> Source:
    """The objects of the namespace, kept in the folder; or the folder's files alone."""
    if namespace is None:
        return FolderSource(folder)
    # Not before: Kubernetes' client takes half a second and 30 MiB, which files do not need.
    from model_router.cluster.source import ClusterSource

    return ClusterSource(namespace, folder, changed)
