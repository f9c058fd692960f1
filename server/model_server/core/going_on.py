"""Work that waits without a thread: whoever ends what it waits for goes on with it."""

from collections.abc import Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R", covariant=True)


class Awaited(Protocol[R]):
    """What comes to an end, and has then a result: a future."""

    def done(self) -> bool:
        """Whether it ended."""

    def result(self) -> R:
        """What came of it. Raises what it failed by."""

    def add_done_callback(self, call: Callable[[Any], object]) -> object:
        """Calls this when it ends, by whoever ends it; at once if it has."""


class ended(Generic[T]):
    """What a future gives, to be awaited by work that ``go_on`` does. Raises what it failed by."""

    __slots__ = ("_future",)

    def __init__(self, future: Awaited[T]) -> None:
        self._future = future

    def __await__(self) -> Generator[Awaited[T], None, T]:
        if not self._future.done():
            yield self._future
        return self._future.result()


def go_on(work: Coroutine[Awaited[Any], None, None]) -> None:
    """Does the work until it waits; who ends what it waits for does the rest, and so on.

    All of it sees the context variables of now, and its own changes of them. It should raise
    nothing: after it waited, it raises to whoever ended that.
    """
    _Going(work)()


class _Going:
    """Work that goes on each time it is called."""

    # A class, because the annotations of an inner function are made anew for each request.
    __slots__ = ("_run", "_send")

    def __init__(self, work: Coroutine[Awaited[Any], None, None]) -> None:
        self._run = copy_context().run
        self._send = work.send

    def __call__(self, _ended: Awaited[Any] | None = None) -> None:
        try:
            awaited = self._run(self._send, None)
        except StopIteration:
            return
        # Only now, or another thread could go on while this one is still in the work.
        awaited.add_done_callback(self)
