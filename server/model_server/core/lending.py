"""Lends one loaded servable by counted handles, without a lock, until it is recalled."""

from collections import deque
from collections.abc import Callable
from typing import Generic, Self

from model_server.core.loader import S
from model_server.core.servable import ServableId


class Lent(Generic[S]):
    """A servable that can be borrowed.

    Borrowing and recalling need no lock between them: a borrower first counts itself and then
    looks for the recall, the owner first recalls and then looks at the count. Whoever comes second
    sees the other. A deque is the counter because its append and pop are atomic and `+= 1` is not.
    """

    __slots__ = ("_borrowed", "_recalled", "_returned", "id", "servable")

    def __init__(self, id: ServableId, servable: S, returned: Callable[[], None]) -> None:
        """`returned` is called at every return after the recall, by the thread that returns."""
        self.id = id
        self.servable = servable
        self._borrowed: deque[None] = deque()
        self._recalled = False
        self._returned = returned

    def borrow(self) -> "Handle[S] | None":
        """A handle, or None after the recall."""
        self._borrowed.append(None)
        if self._recalled:
            self.give_back()
            return None
        return Handle(self)

    def lend_on(self) -> "Handle[S]":
        """One more handle for who has one, even after the recall."""
        self._borrowed.append(None)
        return Handle(self)

    def give_back(self) -> None:
        """Undo one borrow."""
        self._borrowed.pop()
        if self._recalled:
            self._returned()

    def recall(self) -> None:
        """Lend no more."""
        self._recalled = True

    def take(self) -> S:
        """The servable, for unloading it: from now on nothing is kept of it here."""
        servable = self.servable
        del self.servable
        return servable

    @property
    def is_out(self) -> bool:
        """Whether somebody holds a handle."""
        return len(self._borrowed) > 0


class Handle(Generic[S]):
    """A counted borrow of a servable: while it is held, the servable is not unloaded.

    Use it as a context manager, or call `release` exactly when done. It has one owner; after the
    release it no longer has a servable.
    """

    __slots__ = ("_lent", "id", "servable")

    def __init__(self, lent: Lent[S]) -> None:
        self._lent: Lent[S] | None = lent
        self.id = lent.id
        self.servable = lent.servable

    def release(self) -> None:
        """Give the servable back; a second call does nothing."""
        lent = self._lent
        if lent is None:
            return
        self._lent = None
        # The memory must be free when the unload is over, even if this handle lives on.
        del self.servable
        lent.give_back()

    def copy(self) -> "Handle[S]":
        """Another handle of the same, to be released by itself; this one must not be released."""
        assert self._lent is not None, "a handle that is released holds nothing"
        return self._lent.lend_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_how: object) -> None:
        # As ``release``, in place: each request comes here.
        if (lent := self._lent) is not None:
            self._lent = None
            del self.servable
            lent.give_back()
