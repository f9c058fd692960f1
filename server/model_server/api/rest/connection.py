"""HTTP connections: how many there may be, and that half-read bodies fail when the parser does."""

import asyncio
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import _ErrInfo

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

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a whole header, or for the end of one."""
        return self._current_request is None and not self._messages and not self._force_close

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


class ConnectionServer(web.Server):
    """aiohttp's server on connections of ours, of which there are at most ``most``.

    One more takes the place of the one that has waited longest for a request; where all are at
    work, it is told to come again.
    """

    def __init__(self, handler: Any, most: int, **more: Any) -> None:
        super().__init__(handler, **more)
        self._most = most

    def __call__(self) -> web.RequestHandler:
        """A connection just accepted."""
        return _Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Called by a connection that is open."""
        super().connection_made(handler, transport)
        if len(self._connections) <= self._most:
            return
        for oldest in self._connections:
            if oldest is not handler and isinstance(oldest, _Connection) and oldest.is_idle:
                oldest.force_close()
                return
        transport.write(_FULL)
        handler.force_close()
