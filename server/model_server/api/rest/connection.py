"""One HTTP connection, whose half-read body fails as soon as the parser cannot go on."""

from aiohttp import web
from aiohttp.web_protocol import _ErrInfo


class _Connection(web.RequestHandler):
    """aiohttp's connection; it tells whoever reads a body that no more of it can come.

    aiohttp's C parser queues a broken chunk as an error in place of a next request and leaves the
    body in hand open, so its reader would wait until its patience ends.
    """

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
    """aiohttp's server, on connections of ours."""

    def __call__(self) -> web.RequestHandler:
        """A connection just accepted."""
        return _Connection(self, loop=self._loop, **self._kwargs)
