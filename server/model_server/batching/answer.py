"""What a request that waits is answered: a result, an error, or nothing, as nobody needs it."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from enum import Enum, auto
from typing import Generic, TypeVar

T = TypeVar("T")

_log = logging.getLogger(__name__)


class _State(Enum):
    WAITING = auto()
    RUNNING = auto()
    CANCELLED = auto()
    GIVEN = auto()


# Looked up for each request several times, which for members of an enum takes long.
_WAITING, _RUNNING, _CANCELLED, _GIVEN = _State


class Answer(Generic[T]):
    """Given once; thread-safe. As ``concurrent.futures.Future``, at a quarter of its cost.

    Whoever needs it may cancel it until it runs or is given.
    """

    __slots__ = ("_callbacks", "_error", "_lock", "_result", "_state")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = _WAITING
        self._result: T | None = None
        self._error: BaseException | None = None
        self._callbacks: list[Callable[[Answer[T]], object]] = []

    def begin(self) -> bool:
        """From now on it cannot be cancelled; False if it was, or if it was given."""
        with self._lock:
            if self._state is _WAITING:
                self._state = _RUNNING
            return self._state is _RUNNING

    def cancel(self) -> bool:
        """Nobody needs it; False if it runs or was given."""
        with self._lock:
            if self._state is not _WAITING:
                return self._state is _CANCELLED
            self._state = _CANCELLED
        self._tell()
        return True

    def give(self, result: T) -> None:
        """Gives a result, unless it is over already."""
        with self._lock:
            if self.done():
                return
            self._result = result
            self._state = _GIVEN
        self._tell()

    def fail(self, error: BaseException) -> None:
        """Gives an error, unless it is over already."""
        with self._lock:
            if self.done():
                return
            self._error = error
            self._state = _GIVEN
        self._tell()

    def running(self) -> bool:
        """Whether it began, and is not over."""
        return self._state is _RUNNING

    def done(self) -> bool:
        """Whether it was given or cancelled."""
        return self._state is _GIVEN or self._state is _CANCELLED

    def add_done_callback(self, call: "Callable[[Answer[T]], object]") -> None:
        """Calls this when it is over, by whoever ends it; at once if it is over already."""
        with self._lock:
            if not self.done():
                self._callbacks.append(call)
                return
        self._call(call)

    def exception(self) -> BaseException | None:
        """The error that was given, if one was until now."""
        return self._error

    def result(self, timeout: float | None = None) -> T:
        """Waits for it at most so many seconds.

        Raises TimeoutError, CancelledError, and the error that was given.
        """
        if not self.done():
            over = threading.Lock()
            over.acquire()
            self.add_done_callback(lambda _answer: over.release())
            if not over.acquire(timeout=-1 if timeout is None else timeout):
                raise TimeoutError
        if self._state is _CANCELLED:
            raise CancelledError
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # it was given, maybe as None

    def _tell(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for call in callbacks:
            self._call(call)

    def _call(self, call: "Callable[[Answer[T]], object]") -> None:
        try:
            call(self)
        except BaseException:
            # One must not keep the others from being told, nor whoever gives from going on; and a
            # platform may be anybody's code, which raises whatever it likes.
            _log.exception("a callback of an answer failed")
