"""The objects of a namespace as a source of snapshots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from model_router.cluster.connection import connect
from model_router.cluster.follow import Follower
from model_router.state.folder import Snapshot
from model_router.state.kept import KeptState


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
