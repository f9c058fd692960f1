"""Runs jobs in threads, at most so many at a time."""

import logging
import threading
from collections import deque
from collections.abc import Callable

_log = logging.getLogger(__name__)

Job = Callable[[], None]


class Lane:
    """A pool whose width may change while it works.

    Its threads are daemons that end when there is no work, so a load that hangs for ever does not
    keep the process from ending.
    """

    def __init__(self, name: str, width: int) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._running = 0
        self._width = max(width, 1)

    def submit(self, job: Job) -> None:
        """Run `job` as soon as there is a place; first come, first served."""
        with self._lock:
            self._waiting.append(job)
            self._fill()

    def resize(self, width: int) -> None:
        """Run at most `width` jobs (at least one) at a time; those that run are not disturbed."""
        with self._lock:
            self._width = max(width, 1)
            self._fill()

    def _fill(self) -> None:
        while self._waiting and self._running < self._width:
            job = self._waiting.popleft()
            threading.Thread(target=self._work, args=(job,), name=self._name, daemon=True).start()
            self._running += 1

    def _work(self, job: Job | None) -> None:
        while job is not None:
            try:
                job()
            except Exception:
                _log.exception("A job of %s failed in a way nobody expected", self._name)
            job = self._next()

    def _next(self) -> Job | None:
        with self._lock:
            if self._waiting and self._running <= self._width:
                return self._waiting.popleft()
            self._running -= 1
            return None
