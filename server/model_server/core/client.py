"""Who waits for an answer: until when, and whether still."""

import threading
from collections.abc import Callable
from contextvars import ContextVar

# One for all, held for a moment each time: most requests never need it.
_changing = threading.Lock()


class Client:
    """Whoever sent a request, until ``deadline`` by ``time.monotonic``, or None; thread-safe.

    One that ``may_be_shed`` rather waits, or is refused, than keep others waiting.
    """

    _deadline: float | None = None
    _may_be_shed = False
    _is_gone = False
    _when_gone: Callable[[], object] | None = None

    def __init__(self, deadline: float | None = None, *, may_be_shed: bool = False) -> None:
        self._deadline = deadline
        self._may_be_shed = may_be_shed

    @property
    def deadline(self) -> float | None:
        """Until when, by ``time.monotonic``; None without an end."""
        return self._deadline

    @property
    def may_be_shed(self) -> bool:
        """Whether it rather waits, or is refused, than keeps others waiting."""
        return self._may_be_shed

    def gone(self) -> None:
        """Nobody waits any more, also because the request was answered."""
        with _changing:
            self._is_gone = True
            call, self._when_gone = self._when_gone, None
        if call is not None:
            call()

    def about_to_wait(self) -> None:
        """The thread that works for this client is going to wait for others.

        Whoever gave it the work may have another thread go on with what else there is.
        """

    def when_gone(self, call: Callable[[], object] | None) -> None:
        """Calls this, and no other, when the client is gone; at once if it is gone already."""
        with _changing:
            self._when_gone = None if self._is_gone else call
            late = self._is_gone
        if late and call is not None:
            call()


_serving: ContextVar[Client | None] = ContextVar("client", default=None)


def client() -> Client:
    """Whom this thread works for; one who waits for ever if that was not said."""
    return _serving.get() or Client()


class working_for:
    """All that this thread does until the end of the block is for this client.

    A class, because a generator would cost each request twice as much.
    """

    __slots__ = ("_client", "_token")

    def __init__(self, client: Client) -> None:
        self._client = client

    def __enter__(self) -> None:
        self._token = _serving.set(self._client)

    def __exit__(self, *_how: object) -> None:
        _serving.reset(self._token)
