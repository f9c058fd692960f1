"""How a piece of work ended, as a canonical code, and when it began."""

import time
from collections.abc import Callable
from types import TracebackType

from model_server.core.errors import Code, ServingError


class outcome:
    """Tells ``ended`` how the block ends: OK, a ServingError's code, or INTERNAL for all else.

    And when it began, by ``time.perf_counter``. A class, because each request passes several of
    these, and a generator would cost it twice as much.
    """

    __slots__ = ("_began", "_begin", "_ended")

    def __init__(
        self,
        ended: Callable[[Code, float], None],
        begin: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``begin`` is told of the beginning, and says when it is."""
        self._ended = ended
        self._begin = begin

    def __enter__(self) -> None:
        self._began = self._begin()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended(Code.OK if error is None else code_of(error), self._began)


def code_of(error: BaseException) -> Code:
    """A ServingError's code, INTERNAL for all else."""
    return error.code if isinstance(error, ServingError) else Code.INTERNAL
