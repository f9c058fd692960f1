"""What the threads that run batches wait for."""

import threading
from collections.abc import Callable, Sequence
from typing import Protocol


class Bell(Protocol):
    """Wakes threads; thread-safe. Whoever rings from outside of Python brings what to call."""

    def ring(self) -> None:
        """Wakes one thread that waits, or the next that would."""

    def heard(self) -> Sequence[Callable[[], object]]:
        """What is to be called, brought since somebody asked last."""

    def wait(self, seconds: float | None = None) -> Sequence[Callable[[], object]]:
        """The same, after waiting until it is rung, or for so many seconds at most."""


class PlainBell:
    """A bell of Python's own; nobody brings anything."""

    def __init__(self) -> None:
        self._rung = threading.Condition()
        self._is_rung = False

    def ring(self) -> None:
        """See Bell."""
        with self._rung:
            self._is_rung = True
            self._rung.notify()

    def heard(self) -> Sequence[Callable[[], object]]:
        """See Bell."""
        return ()

    def wait(self, seconds: float | None = None) -> Sequence[Callable[[], object]]:
        """See Bell."""
        with self._rung:
            self._rung.wait_for(lambda: self._is_rung, seconds)
            self._is_rung = False
        return ()
