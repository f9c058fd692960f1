"""HTTP connections: how many there may be, how slow, and that bodies fail when the parser does."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import _ErrInfo

from model_server.api.rest.listening import ConnectionLimits

# Bytes a second that a client must read of an answer.
_SLOWEST = 64 * 2**10
_FULL_BODY = b'{\n    "error": "The server has as many connections at work as it may; try again"\n}'
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_FULL_BODY), _FULL_BODY)
)


class _Connection(web.RequestHandler):
    """aiohttp's connection; it tells whoever reads a body that no more of it can come.

    aiohttp's C parser queues a broken chunk as an error in place of a next request and leaves the
    body in hand open, so its reader would wait until its patience ends.
    """

    def __init__(self, manager: web.Server, patience: float, **more: Any) -> None:
        super().__init__(manager, **more)
        self._patience = patience
        self._look_again: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait_for_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_waiting()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._stop_waiting()

    def _wait_for_reader(self) -> None:
        unsent = _unsent(self.transport)
        self._look_again = self._loop.call_later(self._patience, self._check_reader, unsent)

    def _check_reader(self, before: int) -> None:
        if before - _unsent(self.transport) >= self._patience * _SLOWEST:
            self._wait_for_reader()
        elif self.transport is not None:
            # An answer that nobody reads would hold its memory and the connection for ever.
            self.transport.abort()

    def _stop_waiting(self) -> None:
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a whole header, or for the end of one."""
        at_work = self._current_request is not None or self._messages or self.writing_paused
        return not at_work and not self._force_close

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._messages:
            return
        last = self._messages[-1][0]
        if not isinstance(last, _ErrInfo):
            return
        bodies = [body for _, body in self._messages]
        if self._current_request is not None:
            bodies.append(self._current_request.content)
        for body in bodies:
            if not body.is_eof():
                body.set_exception(web.RequestPayloadError(last.message))


def _unsent(transport: asyncio.Transport | None) -> int:
    return 0 if transport is None else transport.get_write_buffer_size()


class ConnectionServer(web.Server):
    """aiohttp's server on connections of ours, of which there are a limited number.

    One more takes the place of the one that has waited longest for a request; where all are at
    work, it is told to come again.
    """

    def __init__(self, handler: Any, limits: ConnectionLimits, **more: Any) -> None:
        super().__init__(handler, **more)
        self._limits = limits

    def __call__(self) -> web.RequestHandler:
        """A connection just accepted."""
        return _Connection(self, self._limits.patience, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Called by a connection that is open."""
        super().connection_made(handler, transport)
        if len(self._connections) <= self._limits.most:
            return
        for oldest in self._connections:
            if oldest is not handler and isinstance(oldest, _Connection) and oldest.is_idle:
                oldest.force_close()
                return
        transport.write(_FULL)
        handler.force_close()
