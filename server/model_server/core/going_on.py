"""Work that waits without a thread: whoever ends what it waits for goes on with it."""

from collections.abc import Coroutine, Generator
from concurrent.futures import Future
from contextvars import copy_context
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class ended(Generic[T]):
    """What a future gives, to be awaited by work that ``go_on`` does. Raises what it raises."""

    __slots__ = ("_future",)

    def __init__(self, future: Future[T]) -> None:
        self._future = future

    def __await__(self) -> Generator[Future[T], None, T]:
        if not self._future.done():
            yield self._future
        return self._future.result()


def go_on(work: Coroutine[Future[Any], None, None]) -> None:
    """Does the work until it waits; who ends what it waits for does the rest, and so on.

    All of it sees the context variables of now, and its own changes of them. What it raises goes to
    the log of futures, unless it raises before it waited: then to the caller.
    """
    context = copy_context()

    def more(_ended: Future[Any] | None = None) -> None:
        try:
            awaited = context.run(work.send, None)
        except StopIteration:
            return
        # Only now, or another thread could go on while this one is still in the work.
        awaited.add_done_callback(more)

    more()
