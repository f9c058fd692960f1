"""Ends calls whose message does not come, because grpcio holds a thread for each of them."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import grpc

T = TypeVar("T")

_log = logging.getLogger(__name__)

_LOOK_AGAIN = 0.5

# The fuller the room, the shorter the patience: how much of the room is taken, then seconds. A
# message of 2 GiB may take long where there is room for it.
_PATIENCE = ((0.5, 600.0), (0.75, 30.0), (1.0, 1.0))


def patience(waiting: int, room: int) -> float:
    """Seconds that a call may take to send its message, while so many do in a room for so many."""
    for share, seconds in _PATIENCE:
        if waiting <= share * room:
            return seconds
    return _PATIENCE[-1][1]


def overdue(began: Iterable[float], room: int, now: float) -> int:
    """How many of the calls to end, oldest first, so that the rest is within its patience."""
    waits = sorted((now - begin for begin in began), reverse=True)
    ended = 0
    while ended < len(waits) and waits[ended] > patience(len(waits) - ended, room):
        ended += 1
    return ended


class Receiving:
    """The calls whose message is on its way; ``room`` is how many threads can wait for one."""

    def __init__(self, room: int, now: Callable[[], float] = time.monotonic) -> None:
        self._room = room
        self._now = now
        self._waiting: dict[grpc.ServicerContext, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="grpc-receiving", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def end(self) -> None:
        """Watches no longer."""
        self._ended.set()

    def message(self, sent: Iterator[T], context: grpc.ServicerContext) -> T:
        """The message of a unary call. Ends the call if there is none."""
        self._waiting[context] = self._now()
        try:
            return next(sent)
        except StopIteration:
            context.abort(
                grpc.StatusCode.UNIMPLEMENTED, "The method requires exactly one request message."
            )
        finally:
            del self._waiting[context]

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_AGAIN):
            self.sweep()

    def sweep(self) -> None:
        """Ends the calls that took too long; their clients see CANCELLED."""
        waiting: Mapping[grpc.ServicerContext, float] = self._waiting.copy()
        ended = overdue(waiting.values(), self._room, self._now())
        for context in sorted(waiting, key=lambda context: waiting[context])[:ended]:
            _log.warning("The message of a call from %s did not come; it is ended", context.peer())
            context.cancel()  # type: ignore[no-untyped-call]  # grpc's stubs miss it
