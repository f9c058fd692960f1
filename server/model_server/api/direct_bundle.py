"""Bundles of the native transport as the batch scheduler knows them, and their lives."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from model_server.api.direct import Otherwise
from model_server.core.errors import Code, ServingError
from model_server.core.lending import Handle

# More rows than any bundle has.
_ALL = 2**31


@dataclass(frozen=True)
class DirectTaken:
    """See Taken; ``held`` is a ``modelfleet_transport.Taken``.

    The handle keeps the version that is to run them, and nobody else has it.
    """

    held: Any
    rows: Sequence[int]
    otherwise: Otherwise
    handle: Handle[Any]

    @property
    def waiting(self) -> int:
        """See Taken."""
        waiting: int = self.held.waiting
        return waiting

    def waited(self) -> Sequence[float]:
        """See Taken."""
        waited: Sequence[float] = self.held.waited()
        return waited

    def run(self, size: int) -> Sequence[int]:
        """See Taken."""
        alone: Sequence[int]
        with self.handle:
            alone, failed, left = self.held.run(size)
        for asked, code, message in failed:
            self.otherwise.failed(asked, code, message)
        for asked in left:
            self.otherwise.by_python(asked)
        return alone

    def fail(self, error: BaseException) -> None:
        """See Taken."""
        self.handle.release()
        _refuse(self.held, ServingError.of(error), self.otherwise)


class DirectBundle:
    """See Bundle; ``held`` is a ``modelfleet_transport.Bundle``.

    It has a handle of the version that is to run it, and each part that is taken has its own.
    """

    def __init__(self, held: Any, otherwise: Otherwise) -> None:
        self.kind: Hashable = held.kind
        self.has = held.has
        self.handle: Handle[Any] | None = None
        self._held = held
        self._otherwise = otherwise

    @property
    def rows(self) -> int:
        """See Bundle."""
        rows: int = self._held.rows
        return rows

    def take(self, most_rows: int) -> tuple[DirectTaken, bool]:
        """See Bundle."""
        assert self.handle is not None, "it is taken by who was offered it"
        held = self._held.take(most_rows)
        is_last: bool = held.is_last
        handle = self.handle if is_last else self.handle.copy()
        taken = DirectTaken(held, held.rows, self._otherwise, handle)
        if not taken.rows:
            # All clients are gone.
            handle.release()
        return taken, is_last

    def refuse(self, error: ServingError) -> None:
        """See Bundle."""
        for held in self._all():
            _refuse(held, error, self._otherwise)

    def fault(self) -> None:
        """Something of ours failed, just now: all are told so, and no others come."""
        for held in self._all():
            for asked in held.take_all():
                self._otherwise.fault(asked)

    def _all(self) -> Iterator[Any]:
        if self.handle is not None:
            self.handle.release()
        is_last = False
        while not is_last:
            held = self._held.take(_ALL)
            is_last = held.is_last
            yield held


def _refuse(held: Any, error: ServingError, otherwise: Otherwise) -> None:
    for asked in held.take_all():
        if error.code is Code.NOT_FOUND:
            # Its version went between the two.
            otherwise.by_python(asked)
        else:
            otherwise.failed(asked, int(error.code), error.message)
