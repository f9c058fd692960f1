"""A thread that writes what others hand in, and never lets them wait."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from model_server.core.errors import Code
from model_server.request_logs.collectors import Collector, Record

_log = logging.getLogger(__name__)


@dataclass
class Output:
    """A collector while it is used; ``failed`` is whether its last record was lost."""

    name: str
    collector: Collector
    failed: bool = False
    ended: bool = False


@dataclass(frozen=True)
class Entry:
    """A record to be made and written, ``size`` bytes of memory until then.

    ``count`` is told what became of it.
    """

    output: Output
    size: int
    make: Callable[[], Record]
    count: Callable[[Code], None]


@dataclass(frozen=True)
class Room:
    """How much may wait to be written; more is dropped."""

    entries: int = 10_000
    bytes: int = 64 * 2**20


@dataclass
class Writer:
    """Writes entries in their order."""

    room: Room = field(default_factory=Room)
    _waiting: deque[Entry | Output] = field(default_factory=deque)
    _size: int = 0
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _ending: bool = False
    _thread: threading.Thread | None = None

    def put(self, entry: Entry) -> None:
        """Hands in an entry; returns at once. Without room it is dropped, and counted as that."""
        with self._changed:
            fits = (
                len(self._waiting) < self.room.entries
                and self._size + entry.size <= self.room.bytes
                and not self._ending
            )
            if fits:
                self._size += entry.size
                self._append(entry)
        if not fits:
            entry.count(Code.RESOURCE_EXHAUSTED)

    def end(self, output: Output) -> None:
        """Closes an output after the entries that were handed in for it."""
        with self._changed:
            self._append(output)

    def _append(self, job: Entry | Output) -> None:
        self._waiting.append(job)
        self._changed.notify()
        if self._thread is None:
            # Only now, because most servers log no requests.
            self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
            self._thread.start()

    def stop(self, seconds: float) -> None:
        """Takes nothing more in; writes what is left, for at most so long."""
        with self._changed:
            self._ending = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            until = time.monotonic() + seconds
            thread.join(seconds)
            if time.monotonic() >= until:
                _log.warning("%d records of requests were not written", len(self._waiting))

    def _run(self) -> None:
        while (job := self._next()) is not None:
            if isinstance(job, Output):
                job.ended = True
                self._attempt(job, job.collector.close)
            else:
                self._write(job)

    def _next(self) -> Entry | Output | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ending)
            if not self._waiting:
                return None
            job = self._waiting.popleft()
            if isinstance(job, Entry):
                self._size -= job.size
            return job

    def _write(self, entry: Entry) -> None:
        output = entry.output
        if output.ended:
            # A request that was under way when a reload took its logging away.
            entry.count(Code.CANCELLED)
            return
        kept = self._attempt(output, lambda: output.collector.collect(entry.make()))
        entry.count(Code.OK if kept else Code.DATA_LOSS)

    def _attempt(self, output: Output, step: Callable[[], None]) -> bool:
        try:
            step()
        except Exception as error:
            # Anybody may provide a collector, and disks fill up: neither must end this thread.
            if not output.failed:
                expected = isinstance(error, OSError)
                _log.error(
                    "Requests are not logged to %s: %s",
                    output.name,
                    error,
                    exc_info=None if expected else error,
                )
            output.failed = True
            return False
        if output.failed:
            _log.info("Requests are logged to %s again", output.name)
        output.failed = False
        return True
