"""The log on its way to a stream: whatever becomes of the stream, nobody waits for it."""

import logging
import os
import queue
import select
import threading
import time

# Some megabytes of lines: what a stalled reader of the log may hold back.
_MOST_WAITING = 10_000
_LAST_WORDS = 1.0


class LogStream(logging.Handler):
    """Writes to a file descriptor from a thread of its own.

    A full disk, a reader that is gone, or one that has stopped reading loses lines; how many is
    said when lines can be written again. ``close`` waits ``last_words`` seconds for what is left.
    """

    def __init__(
        self,
        descriptor: int,
        most_waiting: int = _MOST_WAITING,
        last_words: float = _LAST_WORDS,
    ) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._most_waiting = most_waiting
        self._last_words = last_words
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lost = 0
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """See logging.Handler. Formats at once, because only the caller knows its trace."""
        if self._lines.qsize() >= self._most_waiting:
            self._lose()
            return
        self._lines.put(self._line(record))

    def _lose(self) -> None:
        with self._counting:
            self._lost += 1

    def _lost_until_now(self) -> int:
        with self._counting:
            lost, self._lost = self._lost, 0
        return lost

    def _line(self, record: logging.LogRecord) -> bytes:
        try:
            text = self.format(record)
        except Exception as error:
            # A log call with wrong arguments is a fault, but not the request's.
            text = f"a record of {record.name} could not be written: {error!r}"
        return text.encode("utf-8", "replace") + b"\n"

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            if not self._written(line):
                self._lose()
            elif lost := self._lost_until_now():
                self._written(self._line(_losses(lost)))

    def _written(self, line: bytes) -> bool:
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:
                # Somebody who shares the stream made it non-blocking.
                select.select([], [self._descriptor], [])
            except OSError:
                return False
        return True

    def close(self) -> None:
        """Writes what is left, if that can be done soon."""
        self._lines.put(None)
        self._thread.join(self._last_words)
        super().close()


def _losses(count: int) -> logging.LogRecord:
    return logging.makeLogRecord(
        {
            "name": __name__,
            "levelno": logging.WARNING,
            "levelname": "WARNING",
            "msg": "%d lines of the log could not be written",
            "args": (count,),
            "created": time.time(),
        }
    )
