"""Two revisions of real pods, and a router before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from router.backends import Backend
from router.running import RunningRouter, free_port, start_router


@pytest.fixture
async def stable() -> AsyncIterator[Backend]:
    async with Backend("m-stable") as backend:
        yield backend


@pytest.fixture
async def candidate() -> AsyncIterator[Backend]:
    async with Backend("m-candidate") as backend:
        yield backend


@pytest.fixture
async def router(tmp_path: Path) -> AsyncIterator[RunningRouter]:
    running = await start_router(tmp_path)
    yield running
    if running.process.returncode is None:
        await running.end()


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port()
