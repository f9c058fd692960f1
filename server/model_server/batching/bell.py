"""What the threads that run batches wait for."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol


class Bell(Protocol):
    """Wakes threads; thread-safe. Whoever rings from outside of Python brings what to call.

    Of those that wait it wakes the one that fell asleep last: what that needs is still near its
    processor, and so are the threads that share its runs.
    """

    def ring(self) -> None:
        """Wakes one thread that waits, or the next that would."""

    def heard(self) -> Sequence[Callable[[], object]]:
        """What is to be called, brought since somebody asked last."""

    def wait(self, seconds: float | None = None) -> Sequence[Callable[[], object]]:
        """The same, after waiting until it is rung, or for so many seconds at most."""


class PlainBell:
    """A bell of Python's own; nobody brings anything."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_rung = False
        self._asleep: list[threading.Event] = []

    def ring(self) -> None:
        """See Bell."""
        with self._lock:
            self._is_rung = True
            if self._asleep:
                self._asleep.pop().set()

    def heard(self) -> Sequence[Callable[[], object]]:
        """See Bell."""
        return ()

    def wait(self, seconds: float | None = None) -> Sequence[Callable[[], object]]:
        """See Bell."""
        own = threading.Event()
        with self._lock:
            if self._is_rung:
                own.set()
            else:
                self._asleep.append(own)
        own.wait(seconds)
        with self._lock:
            self._is_rung = False
            if own in self._asleep:
                self._asleep.remove(own)
        return ()
