"""A bounded pool of what only one call can use at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from model_server.core.errors import Code, ServingError

T = TypeVar("T")


_PATIENCE = 60.0


class Pool(Generic[T]):
    """Lends at most ``size`` things that ``make`` makes, each to one call.

    They are made as calls need them, because each takes memory of its own; ``first`` is there
    already. A call for which none is free waits for at most ``patience`` seconds.
    """

    def __init__(
        self, make: Callable[[], T], first: T, size: int, patience: float = _PATIENCE
    ) -> None:
        self._make = make
        self._size = size
        self._patience = patience
        self._idle = [first]
        self._turns = threading.BoundedSemaphore(size)

    @contextmanager
    def lent(self) -> Iterator[T]:
        """One of the things, for as long as the context lasts.

        One whose call raises is thrown away: nobody knows what it holds then. Raises ServingError,
        UNAVAILABLE, where all are busy for too long.
        """
        if not self._turns.acquire(timeout=self._patience):
            raise ServingError(
                Code.UNAVAILABLE,
                f"all {self._size} interpreters of this version have been busy for"
                f" {self._patience:g} seconds",
            )
        try:
            thing = self._taken()
            yield thing
            self._idle.append(thing)
        finally:
            self._turns.release()

    def _taken(self) -> T:
        try:
            # The one used last: its memory is warm, and it is likely to have the right shapes.
            return self._idle.pop()
        except IndexError:
            return self._make()

    def close(self) -> None:
        """Drops what is there; nobody uses the pool any more."""
        self._idle.clear()
