"""The bytes of all requests that one API has at hand, so that many large ones cannot take all."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from model_server.core.errors import Code, ServingError


class AtHand:
    """At most so many bytes of ``what``, or one request of any size; thread-safe."""

    def __init__(self, most: int, what: str) -> None:
        self._most = most
        self._what = what
        self._bytes = 0
        self._lock = threading.Lock()

    @contextmanager
    def request(self) -> Iterator[Callable[[int], None]]:
        """Counts the bytes that the function given is told of, until the end of the block.

        The function raises ServingError, RESOURCE_EXHAUSTED, where there is no room for them.
        """
        came = 0

        def more(size: int) -> None:
            nonlocal came
            with self._lock:
                # One that is larger than the limit could else never be answered.
                if self._bytes > came and self._bytes + size > self._most:
                    raise ServingError(
                        Code.RESOURCE_EXHAUSTED,
                        f"The server has {self._bytes} bytes of {self._what} at hand; try again",
                    )
                came += size
                self._bytes += size

        try:
            yield more
        finally:
            with self._lock:
                self._bytes -= came
