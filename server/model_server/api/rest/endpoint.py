"""The REST server: one event loop in a thread of its own, model calls in a pool beside it."""

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import uvloop
from aiohttp import web

from model_server.api.at_hand import AtHand
from model_server.api.codes import headers_of, http_status, is_fault
from model_server.api.criticality import HEADER, may_be_shed
from model_server.api.fair_turns import FairTurns
from model_server.api.model_counts import ModelCounts
from model_server.api.rest import body, json_writer, routes
from model_server.api.rest.body import BodyLimits, BodyRefused
from model_server.api.rest.connection import ConnectionLimits, ConnectionServer
from model_server.api.rest.routes import INFERENCE, Route
from model_server.api.rest.tls import server_context
from model_server.core.client import Client, working_for
from model_server.core.errors import Code, ServingError
from model_server.options.tls import TlsFile
from model_server.service.readiness import Readiness
from model_server.telemetry import trace_context
from model_server.telemetry.tracing import NO_TRACING, Asked, Tracing

_log = logging.getLogger(__name__)

_JSON = "application/json"
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}
# So many JSON values take 100 MB of memory at most; a body below this size has fewer.
_MANY_VALUES = 2**19
_MEASURED = 2**20
_BACKLOG = 1024
# Threads for requests that wait for their turn.
_WAITING = 1024
_BODY_LIMITS = BodyLimits()
_CONNECTION_LIMITS = ConnectionLimits()
# Seconds for a client to finish a TLS handshake, and to say that it saw the end.
_HANDSHAKE = 20.0
_GOODBYE = 5.0
_STRANGER = (
    "This server answers clients that show a certificate only;"
    " without one, /healthz and /readyz can be asked"
)


@dataclass(frozen=True)
class Listen:
    """Where to listen and how; port 0 lets the system choose, times are in seconds.

    ``threads`` requests run at a time, and of each model ``own`` in any case.
    A request takes at most ``timeout``; a connection waits at most ``idle`` for a whole header;
    beyond ``in_flight`` requests at the same time, if it is not None, more are refused, as they are
    beyond what ``models`` says of one model; beyond the limit of ``connections``, idle ones are
    closed, and if there is none, more are refused.
    Clients that ``tls`` asks for a certificate and that show none may ask for health only.
    """

    port: int
    threads: int = 8
    timeout: float | None = None
    cors: bool = False
    idle: float = 75.0
    in_flight: int | None = None
    connections: ConnectionLimits = _CONNECTION_LIMITS
    body: BodyLimits = _BODY_LIMITS
    tls: TlsFile | None = None
    own: int | Callable[[str], int] = 1
    models: ModelCounts = field(default_factory=ModelCounts)


@dataclass(frozen=True)
class Watch:
    """What those who watch a server see; ``metrics_path`` is None where metrics are turned off."""

    readiness: Callable[[], Readiness]
    models: Callable[[], str]
    metrics: Callable[[], str] = str
    metrics_path: str | None = None


Answer = Callable[[Route, bytes], str]


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
        self._answer = answer
        self._watch = watch
        self._refused = refused
        self._tracing = tracing
        self._loop = uvloop.new_event_loop()
        self._turns = FairTurns(listen.threads, listen.own, _WAITING, refused)
        self._pool = ThreadPoolExecutor(listen.threads + _WAITING, thread_name_prefix="rest")
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

    def start(self) -> int:
        """Opens the port and returns it. Raises OSError if it cannot be listened on."""
        listening = _listening_socket(self._listen.port)
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
        if path == "/healthz":
            return web.Response(text="ok")
        if path == "/readyz":
            return self._ready()
        if self._is_stranger(request):
            return self._json(http_status(Code.UNAUTHENTICATED), json_writer.error_body(_STRANGER))
        if path == "/models":
            # Not under /v1, where TensorFlow Serving's own tests want an error.
            return self._json(200, self._watch.models())
        if self._watch.metrics_path and path.partition("?")[0] == self._watch.metrics_path:
            return self._metrics(path)
        if not routes.is_api(path):
            return web.Response(status=404, text="Not Found: the API is under /v1/models\n")
        if request.method == "OPTIONS":
            return self._preflight(request)
        try:
            text = await self._admitted(request, path)
        except ServingError as error:
            said = json_writer.error_body(error.message)
            return self._json(http_status(error.code), said, headers_of(error))
        except BodyRefused as error:
            refusal = self._json(error.status, json_writer.error_body(error.message))
            refusal.force_close()
            return refusal
        except (ConnectionError, web.HTTPException):
            # A client that is gone needs no answer, and what aiohttp says is an answer.
            raise
        except Exception:
            # The outermost frame of a request: a fault of ours must not reach the client as text.
            _log.exception("a request failed unexpectedly")
            return self._json(500, json_writer.error_body("Internal error; see the server's log"))
        return self._json(200, text)

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
        limit = self._listen.models.request(self._model(route), self._refused)
        with limit, self._at_hand.request() as more:
            sent = await body.read(request, self._listen.body, more)
            return await self._in_time(self._answered(request, route, sent, more))

    def _model(self, route: Route) -> str:
        """The model to run; "" if there is nothing to run, or no such model."""
        name = route.spec.name if route.action in INFERENCE else ""
        return self._listen.models.counted_as(name)

    async def _answered(
        self, request: web.BaseRequest, route: Route, sent: bytes, more: Callable[[int], None]
    ) -> str:
        pool = self._pool
        zipped = "gzip" in request.headers.get("Content-Encoding", "")
        if zipped or len(sent) > _MEASURED:
            packed = len(sent)
            measure = partial(body.plain, sent, self._listen.body, zipped=zipped)
            sent, values = await self._loop.run_in_executor(self._measuring, measure)
            more(max(len(sent) - packed, 0))
            pool = self._large if values > _MANY_VALUES else pool
        # Without a deadline, which is kept here: it must not be told in two ways.
        asking = Client(may_be_shed=may_be_shed(request.headers.get(HEADER)))
        at_hand = [sent]
        answer = partial(self._answer_sent, asking, _asked(request, route), route, at_hand)
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

    def _answer_sent(self, asking: Client, asked: Asked, route: Route, at_hand: list[bytes]) -> str:
        turn = self._turns.turn(self._model(route))
        with self._tracing.request(asked) as span, working_for(asking), turn:
            code = Code.INTERNAL
            try:
                text = self._answer(route, at_hand.pop())
                code = Code.OK
            except ServingError as error:
                code = error.code
                raise
            finally:
                span.set({"http.response.status_code": http_status(code)})
                if is_fault(code):
                    span.fail(code.name)
            return text

    def _json(self, status: int, text: str, more: tuple[tuple[str, str], ...] = ()) -> web.Response:
        return web.Response(
            status=status,
            body=text.encode("utf-8", "surrogateescape"),
            content_type=_JSON,
            headers=[*self._headers.items(), *more] if more else self._headers,
        )

    def _preflight(self, request: web.BaseRequest) -> web.Response:
        origin = request.headers.get("Origin", "")
        known = "http://" in origin or "https://" in origin
        return self._json(200 if known else 400, "")

    def _metrics(self, path: str) -> web.Response:
        if path != self._watch.metrics_path:
            problem = f"Unexpected path: {path}. Should be {self._watch.metrics_path}"
            return web.Response(status=400, text=problem)
        return web.Response(body=self._watch.metrics().encode(), content_type="text/plain")

    def _ready(self) -> web.Response:
        readiness = self._watch.readiness()
        return web.Response(
            status=200 if readiness.ready else 503,
            text=json.dumps(readiness.as_json()) + "\n",
            content_type=_JSON,
        )


def _asked(request: web.BaseRequest, route: Route) -> Asked:
    parent = None
    if (header := request.headers.get(trace_context.HEADER)) is not None:
        state = ",".join(request.headers.getall(trace_context.STATE_HEADER, ()))
        parent = trace_context.parse(header, state)
    # The model's name is an attribute: names of spans must be few.
    about = {"http.request.method": request.method, "url.path": request.path}
    return Asked(f"{request.method} {route.action}", parent, about)


def _listening_socket(port: int) -> socket.socket:
    try:
        return socket.create_server(
            ("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True
        )
    except (OSError, ValueError):
        # No IPv6 here; if the port is taken, this says so.
        return socket.create_server(("0.0.0.0", port), backlog=_BACKLOG)
