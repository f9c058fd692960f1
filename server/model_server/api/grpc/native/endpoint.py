"""The gRPC server over the extension modelfleet-transport: HTTP/2 outside Python's lock."""

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import grpc

from model_server.api import sockets
from model_server.api.codes import details, grpc_status
from model_server.api.direct import Direct
from model_server.api.fair_turns import FairTurns
from model_server.api.grpc.addressee import model_of
from model_server.api.grpc.endpoint import Listen
from model_server.api.grpc.native.call_context import Aborted, CallContext
from model_server.api.grpc.native.dispatching import Answer, Registry
from model_server.api.grpc.receiving import Receiving
from model_server.api.grpc.standard_services import Health, add_reflection
from model_server.api.grpc.traced import Spans, traced
from model_server.api.grpc.unary import Handler
from model_server.api.grpc.waiting import Waiting, WorkOfCall
from model_server.api.native_port import QUEUED, SLOW_CALL, NativePort, Pace, Terms
from model_server.api.sockets import CannotListen
from model_server.core.client import working_for
from model_server.core.errors import Code, ServingError
from model_server.core.going_on import go_on
from model_server.telemetry.tracing import NO_TRACING, Tracing

_log = logging.getLogger(__name__)

# Threads for requests that wait for their turn, and for streams of reflection.
_WAITING = 1024
_STREAMING = 64
_NO_SPAN = nullcontext()
# Seconds for a client to say something.
_FIRST = 20.0
# What of --grpc_channel_arguments this transport knows, and what it is by default; bytes of a
# message are as many as protobuf can read.
_ARGUMENTS = {
    "grpc.max_receive_message_length": ("message", 2**31 - 1),
    "grpc.max_allowed_incoming_connections": ("connections", 4096),
    "grpc.max_concurrent_streams": ("streams", 1024),
    "grpc.max_metadata_size": ("header", 16 * 2**10),
}


class NativeEndpoint:
    """Serves what ``GrpcEndpoint`` serves, with the same limits."""

    def __init__(
        self,
        listen: Listen,
        health: Health | None = None,
        refused: Callable[[], None] = lambda: None,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        """``refused`` is told of each request above the limit.

        Raises CannotListen where the extension is not installed, or what is asked for is not in it.
        """
        if listen.alts:
            raise CannotListen("--transport=native knows no ALTS; use --transport=python")
        self._listen = listen
        self._health = health
        self._refused = refused
        self._tracing = tracing
        self._turns = FairTurns(listen.threads, listen.own, _WAITING, refused)
        self._pace = Pace(SLOW_CALL)
        self._arguments = _arguments(listen.channel_arguments)
        self._port = listen.shared or NativePort()
        self._serve_port()
        self._methods: dict[str, Answer] | None = None
        self._direct: Direct | None = None
        self._predict: _Method | None = None
        registry = Registry()
        self._reflections = add_reflection(registry, with_health=health is not None)
        if health is not None:
            # The transport itself waits for messages, so none of them is ever late here.
            health.add_to(registry, Receiving(_WAITING))
        self._standard = registry.answers

    def _serve_port(self) -> None:
        self._port.serve_grpc(
            self._answer,
            in_flight=self._listen.in_flight,
            at_hand=self._listen.at_hand,
            message=self._arguments["message"],
            waiting=QUEUED,
            threads=self._listen.threads + _WAITING + _STREAMING,
            refused=self._refused,
        )

    def start(self) -> int | None:
        """Opens the ports; returns the TCP port, None if there is none. Raises CannotListen."""
        port = None
        terms = Terms(
            self._listen.tls,
            _FIRST,
            connections=self._arguments["connections"],
            streams=self._arguments["streams"],
            header=self._arguments["header"],
        )
        try:
            if self._listen.port is not None:
                listening = sockets.tcp(self._listen.port)
                port = listening.getsockname()[1]
                self._port.listen(listening, terms)
            if self._listen.socket_path:
                self._port.listen(sockets.unix(self._listen.socket_path), terms)
        except OSError as error:
            raise CannotListen(str(error)) from error
        self._port.start()
        return port

    def _answer(self, call: Any) -> None:
        self._guarded(self._answer_of(call.path), call)

    def _guarded(self, answer: Answer, call: Any) -> None:
        try:
            answer(call, CallContext(call))
        except Aborted:
            # Its client was told.
            pass
        except Exception:
            _failed(call)

    def _answer_of(self, path: str) -> Answer:
        if (answer := self._standard.get(path)) is not None:
            return answer
        if self._methods is None:
            return _not_yet if path.startswith("/tensorflow.") else _unknown
        return self._methods.get(path, _unknown)

    def serve(
        self,
        handlers: Mapping[str, Handler],
        beside: Mapping[str, Handler] = MappingProxyType({}),
        waiting: Mapping[str, Waiting] = MappingProxyType({}),
        direct: Direct | None = None,
    ) -> None:
        """See GrpcEndpoint. ``direct`` decides which requests are answered without Python."""
        self._direct = direct
        methods = [
            _Method(path, self._traced(path, handler), self._spans(path), waiting.get(path))
            for path, handler in handlers.items()
        ]
        if direct is not None:
            [self._predict] = [method for method in methods if method.path == direct.path]
            direct.otherwise.add(self._port.call, self)
        in_turn: dict[str, Answer] = {
            method.path: partial(self._answer_method, method) for method in methods
        }
        self._methods = in_turn | {
            path: partial(_at_once, handler.unary_unary) for path, handler in beside.items()
        }

    def _traced(self, path: str, handler: Handler) -> Any:
        return traced(self._tracing, path, handler, CallContext.header).unary_unary

    def _spans(self, path: str) -> Spans:
        return Spans(self._tracing, path, CallContext.header)

    def _answer_method(self, method: "_Method", call: Any, context: CallContext) -> None:
        if call.is_gone:
            # Nobody waits for the answer any more.
            return
        direct = self._direct
        if direct is not None and method.path == direct.path:
            signature = self._port.signature_for(call.first, direct.of_spec)
            if signature is not None and self._answer_directly(direct, signature, call, context):
                return
        self._answer_by_python(method, call, context)

    def _answer_by_python(self, method: "_Method", call: Any, context: CallContext) -> None:
        request = call.message()
        model = self._listen.models.counted_as(model_of(method.path, request))
        work = None if method.waiting is None else method.waiting(request)
        if work is None:
            call.answer(self._in_turn(model, method.answer, request, context))
        else:
            go_on(self._answer_later(model, method, work, call, context))

    def _answer_directly(
        self, direct: Direct, signature: Any, call: Any, context: CallContext
    ) -> bool:
        """False where it is for Python."""
        failure = call.first.failure
        if failure is None:
            with direct.at_hand(signature.model, "GRPC"):
                try:
                    return bool(self._in_turn(signature.model, _by(signature), call, context))
                except self._port.run_error as error:
                    failure = error.args
        _tell(direct, call, context, failure)
        return True

    def by_python(self, call: Any) -> None:
        """See Otherwise."""
        assert self._predict is not None
        self._guarded(partial(self._answer_by_python, self._predict), call)

    def failed(self, call: Any, code: int, message: str) -> None:
        """See Otherwise."""
        direct = self._direct
        assert direct is not None
        self._guarded(lambda call, context: _tell(direct, call, context, (code, message)), call)

    def fault(self, call: Any) -> None:
        """See Otherwise."""
        _failed(call)

    def _in_turn(self, model: str, answer: Any, request: Any, context: CallContext) -> Any:
        try:
            with working_for(context):
                return self._admitted(model, answer, request, context)
        except ServingError as error:
            # Of the limit or the turn: what a handler raises it tells itself.
            context.abort(grpc_status(error.code), details(error.message))

    async def _answer_later(
        self, model: str, method: "_Method", work: WorkOfCall, call: Any, context: CallContext
    ) -> None:
        # Without a turn, because none of the threads is held while it waits.
        limit = self._listen.models.request(model, self._refused)
        seen: Any = context
        try:
            with working_for(context), limit, method.spans.of(seen) or _NO_SPAN:
                response = await work(seen)
            call.answer(response)
        except Aborted:
            # Its client was told.
            pass
        except ServingError as error:
            call.fail(int(error.code), details(error.message))
        except BaseException:
            # Also what ends threads: this one is of those that run batches, and serves others.
            _failed(call)

    def _admitted(self, model: str, answer: Any, request: Any, context: CallContext) -> Any:
        # Written out, because blocks of their own would cost every call a microsecond.
        counts, turns = self._listen.models, self._turns
        is_counted = counts.take(model, self._refused)
        try:
            turns.take(model)
            try:
                return self._pace.run(model, context, partial(answer, request, context))
            finally:
                turns.give_back(model)
        finally:
            if is_counted:
                counts.give_back(model)

    def forget(self) -> None:
        """Has requests looked at anew that were answered without Python."""
        self._port.forget()

    def stop(self, grace: float) -> None:
        """Refuses new calls, waits for running ones at most ``grace`` seconds, closes the ports."""
        self._port.drain()
        if self._health is not None:
            self._health.end()
        self._reflections.cancel()
        self._port.stop(grace)
        if self._listen.socket_path:
            sockets.remove(self._listen.socket_path)


@dataclass(frozen=True)
class _Method:
    """How calls are answered by a thread, and without one while they wait if that can be."""

    path: str
    answer: Any
    spans: Spans
    waiting: Waiting | None


def _tell(direct: Direct, call: Any, context: CallContext, failure: Any) -> None:
    handler: Any = direct.failed(*failure)
    call.answer(handler(call.message(), context))


def _by(signature: Any) -> Callable[[Any, CallContext], bool]:
    return lambda call, _context: bool(call.first.answer_by(signature))


def _failed(call: Any) -> None:
    # The outermost frame of a call: a fault of ours must not end the thread.
    _log.exception("a call failed unexpectedly")
    call.fail(int(Code.INTERNAL), "Internal error; see the server's log")


def _at_once(answer: Any, call: Any, context: CallContext) -> None:
    # They mostly wait.
    context.step_aside()
    with working_for(context):
        response = answer(call.message(), context)
    call.answer(response)


def _not_yet(_call: Any, context: CallContext) -> None:
    context.abort(grpc.StatusCode.UNAVAILABLE, "The server is starting")


def _unknown(_call: Any, context: CallContext) -> None:
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


def _arguments(given: tuple[tuple[str, int | str], ...]) -> dict[str, int]:
    known = dict(_ARGUMENTS.values())
    for key, value in given:
        if key not in _ARGUMENTS or not isinstance(value, int):
            _log.warning("--grpc_channel_arguments: %s means nothing to the native transport", key)
        elif value >= 0:
            known[_ARGUMENTS[key][0]] = value
    return known
