"""The REST server: one event loop in a thread of its own, model calls in a pool beside it."""

import asyncio
import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import uvloop
from aiohttp import web

from model_server.api import sockets
from model_server.api.at_hand import AtHand
from model_server.api.criticality import HEADER, may_be_shed
from model_server.api.direct import Direct
from model_server.api.fair_turns import FairTurns
from model_server.api.rest import body, json_writer, pages, routes
from model_server.api.rest.answers import Later
from model_server.api.rest.body import BodyRefused
from model_server.api.rest.connection import ConnectionServer
from model_server.api.rest.in_turn import Answer, InTurn, asked
from model_server.api.rest.listening import MANY_VALUES, MEASURED, WAITING, Listen
from model_server.api.rest.pages import Page, Visit, Watch
from model_server.api.rest.routes import Route
from model_server.api.rest.tls import server_context
from model_server.core.client import Client
from model_server.core.errors import Code, ServingError
from model_server.telemetry.tracing import NO_TRACING, Tracing

_log = logging.getLogger(__name__)

_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
_BACKLOG = 1024
# Seconds for a client to finish a TLS handshake, and to say that it saw the end.
_HANDSHAKE = 20.0
_GOODBYE = 5.0


class RestEndpoint:
    """An aiohttp server on uvloop."""

    def __init__(
        self,
        listen: Listen,
        answer: Answer,
        watch: Watch,
        refused: Callable[[], None] = lambda: None,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        """``refused`` is told of each request above the limit."""
        self._listen = listen
        self._watch = watch
        self._refused = refused
        self._loop = uvloop.new_event_loop()
        turns = FairTurns(listen.threads, listen.own, WAITING, refused)
        self._in_turn = InTurn(answer, turns, listen.models, tracing)
        self._pool = ThreadPoolExecutor(listen.threads + WAITING, thread_name_prefix="rest")
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="rest-loop", daemon=True
        )
        # For bodies of many values, one at a time: each takes much memory, and long.
        self._large = ThreadPoolExecutor(1, thread_name_prefix="rest-large")
        # One at a time, because only then the loop counts what came out of the last one.
        self._measuring = ThreadPoolExecutor(1, thread_name_prefix="rest-measuring")
        self._at_hand = AtHand(listen.body.together, "bodies")
        self._in_flight = 0
        self._asks_for_certificates = listen.tls is not None and listen.tls.now().verify_clients
        self._headers = _CORS if listen.cors else {}
        self._web: web.Server | None = None
        self._listener: asyncio.AbstractServer | None = None

    def answer_later_by(self, later: Callable[[Route, bytes], Later | None]) -> None:
        """See NativeRestEndpoint; a request has a thread here all the same."""

    def answer_directly_by(self, direct: Direct | None) -> None:
        """See NativeRestEndpoint; all is answered by Python here."""

    def forget(self) -> None:
        """See NativeRestEndpoint."""

    def start(self) -> int:
        """Opens the port and returns it. Raises OSError if it cannot be listened on."""
        if self._listen.port is None:
            raise ValueError("aiohttp serves no port but its own")
        listening = sockets.tcp_of_both_versions(self._listen.port)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._accept(listening), self._loop).result()
        port: int = listening.getsockname()[1]
        return port

    async def _accept(self, listening: socket.socket) -> None:
        self._web = ConnectionServer(
            self._handle,
            self._listen.connections,
            request_factory=self._request,
            access_log=None,
            auto_decompress=False,
            # Work that nobody waits for any more must not keep others waiting.
            handler_cancellation=True,
            keepalive_timeout=self._listen.idle,
        )
        context = server_context(self._listen.tls) if self._listen.tls else None
        self._listener = await self._loop.create_server(
            self._web,
            sock=listening,
            backlog=_BACKLOG,
            ssl=context,
            ssl_handshake_timeout=_HANDSHAKE if context else None,
            ssl_shutdown_timeout=_GOODBYE if context else None,
        )

    def _request(
        self, message: Any, payload: Any, protocol: Any, writer: Any, task: Any
    ) -> web.BaseRequest:
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop)

    def stop(self, grace: float) -> None:
        """Refuses new connections, waits for running requests at most ``grace`` seconds, ends."""
        asyncio.run_coroutine_threadsafe(self._drain(grace), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        for pool in (self._pool, self._large, self._measuring):
            pool.shutdown(wait=False, cancel_futures=True)

    async def _drain(self, grace: float) -> None:
        if self._listener is not None and self._web is not None:
            self._listener.close()
            await self._web.shutdown(grace)

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        path = routes.path_of(request.raw_path)
        origin = request.headers.get("Origin", "")
        visit = Visit(request.method, path, origin, self._is_stranger(request))
        if (page := pages.page(self._watch, visit)) is not None:
            return self._response(page)
        try:
            text = await self._admitted(request, path)
        except ServingError as error:
            return self._response(pages.refusal(error))
        except BodyRefused as error:
            refusal = self._response(Page(error.status, json_writer.error_body(error.message)))
            refusal.force_close()
            return refusal
        except (ConnectionError, web.HTTPException):
            # A client that is gone needs no answer, and what aiohttp says is an answer.
            raise
        except Exception:
            # The outermost frame of a request: a fault of ours must not reach the client as text.
            _log.exception("a request failed unexpectedly")
            return self._response(pages.refusal(pages.FAULT))
        return self._response(Page(200, text))

    def _is_stranger(self, request: web.BaseRequest) -> bool:
        if not self._asks_for_certificates:
            return False
        # What a certificate says is there only if it was verified.
        return request.transport is None or not request.transport.get_extra_info("peercert")

    async def _admitted(self, request: web.BaseRequest, path: str) -> str:
        if self._listen.in_flight is not None and self._in_flight >= self._listen.in_flight:
            self._refused()
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"The server has {self._in_flight} requests at hand, which is the limit of"
                " --max_in_flight_requests; try again",
            )
        self._in_flight += 1
        try:
            return await self._api(request, path)
        finally:
            self._in_flight -= 1

    async def _api(self, request: web.BaseRequest, path: str) -> str:
        route = routes.route(request.method, path)
        limit = self._listen.models.request(self._in_turn.model(route), self._refused)
        with limit, self._at_hand.request() as more:
            sent = await body.read(request, self._listen.body, more)
            return await self._in_time(self._answered(request, route, sent, more))

    async def _answered(
        self, request: web.BaseRequest, route: Route, sent: bytes, more: Callable[[int], None]
    ) -> str:
        pool = self._pool
        zipped = "gzip" in request.headers.get("Content-Encoding", "")
        if zipped or len(sent) > MEASURED:
            packed = len(sent)
            measure = partial(body.plain, sent, self._listen.body, zipped=zipped)
            sent, values = await self._loop.run_in_executor(self._measuring, measure)
            more(max(len(sent) - packed, 0))
            pool = self._large if values > MANY_VALUES else pool
        # Without a deadline, which is kept here: it must not be told in two ways.
        asking = Client(may_be_shed=may_be_shed(request.headers.get(HEADER)))
        at_hand = [sent]
        about = asked(request.method, request.path, route, partial(_header, request))
        answer = partial(self._in_turn, asking, about, route, at_hand.pop)
        try:
            return await self._loop.run_in_executor(pool, answer)
        finally:
            asking.gone()
            # A pool keeps what was cancelled until its turn comes; the body must not wait for that.
            at_hand.clear()

    async def _in_time(self, answered: Awaitable[str]) -> str:
        try:
            async with asyncio.timeout(self._listen.timeout):
                return await answered
        except TimeoutError:
            raise ServingError(
                Code.DEADLINE_EXCEEDED,
                f"The request took longer than the {self._listen.timeout:g} seconds of"
                " --rest_api_timeout_in_ms",
            ) from None

    def _response(self, page: Page) -> web.Response:
        more = self._headers if page.content_type == pages.JSON else {}
        return web.Response(
            status=page.status,
            body=page.body,
            headers=[("Content-Type", page.content_type), *more.items(), *page.headers],
        )


def _header(request: web.BaseRequest, name: str) -> str | None:
    return ",".join(request.headers.getall(name, ())) or None
