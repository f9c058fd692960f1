"""Passes one at a time for each object, some objects at a time, with back-off for each."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from model_operator.domain.errors import OperatorError
from model_operator.metrics.operation import Metrics

logger = logging.getLogger(__name__)

Work = Callable[[str], Awaitable[datetime | None]]

# Passes mostly wait for the API server; more at a time would only queue there.
_WORKERS = 8
# Events come in swarms (a Deployment, its pods): one pass sees them all. The first is not delayed.
_PAUSE_SECONDS = 0.3
_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 60.0


class Backoff:
    """How long a key waits after it failed: twice as long each time, up to a minute."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}

    def after_failure(self, key: str) -> float:
        """Seconds."""
        delay = self._next.get(key, _FIRST_BACKOFF_SECONDS)
        self._next[key] = min(2 * delay, _LONGEST_BACKOFF_SECONDS)
        return delay

    def forget(self, key: str) -> None:
        """It has not failed."""
        self._next.pop(key, None)


class Queue:
    """Keys that wait for a pass. A key woken while its pass runs gets another one after it."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._waiting: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._queued: set[str] = set()
        self._running: set[str] = set()
        self._woken_while_running: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._backoff = Backoff()

    def wake(self, key: str, delay: float = 0.0) -> None:
        """Look at this object, now or after `delay` seconds; the earliest of several counts."""
        loop = asyncio.get_running_loop()
        when = max(loop.time() + delay, self._not_before.get(key, 0.0))
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self._enqueue, key)

    @asynccontextmanager
    async def working(self, work: Work) -> AsyncIterator[None]:
        """Run passes as long as the block does."""
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work(work)) for _ in range(_WORKERS)]
            try:
                yield
            finally:
                for worker in workers:
                    worker.cancel()

    async def _work(self, work: Work) -> None:
        while True:
            key, since = await self._waiting.get()
            self._metrics.waited.observe(asyncio.get_running_loop().time() - since)
            self._queued.discard(key)
            self._metrics.queued.set(len(self._queued))
            self._running.add(key)
            try:
                await self._pass(work, key)
            finally:
                self._running.discard(key)
            if key in self._woken_while_running:
                self._woken_while_running.discard(key)
                self.wake(key)

    def _enqueue(self, key: str) -> None:
        self._timers.pop(key, None)
        if key in self._running:
            self._woken_while_running.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._waiting.put_nowait((key, asyncio.get_running_loop().time()))
            self._metrics.queued.set(len(self._queued))

    async def _pass(self, work: Work, key: str) -> None:
        try:
            with self._metrics.duration.time():
                again_at = await work(key)
        except Exception as error:
            self._fail(key, error)
            return
        self._metrics.passes.labels("success").inc()
        self._backoff.forget(key)
        self._hold(key, _PAUSE_SECONDS)
        if again_at is not None:
            self.wake(key, (again_at - datetime.now(UTC)).total_seconds())

    def _fail(self, key: str, error: Exception) -> None:
        # An error of the API is explained by its message; anything else is our own mistake.
        is_expected = isinstance(error, OperatorError)
        self._metrics.passes.labels("refused" if is_expected else "error").inc()
        self._metrics.retries.inc()
        delay = self._backoff.after_failure(key)
        trace = None if is_expected else error
        message = "pass failed, again in %.1f s: %s"
        logger.error(message, delay, error, exc_info=trace, extra={"object": key})
        self._hold(key, delay)
        self.wake(key)

    def _hold(self, key: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._not_before[key] = loop.time() + seconds
        loop.call_later(seconds, self._release, key)

    def _release(self, key: str) -> None:
        if self._not_before.get(key, 0.0) <= asyncio.get_running_loop().time():
            self._not_before.pop(key, None)
