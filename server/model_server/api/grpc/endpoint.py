"""The gRPC server: its ports open at once, its methods come when the service is ready."""

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

import grpc

from model_server.api.at_hand import AtHand
from model_server.api.codes import details, grpc_status
from model_server.api.criticality import HEADER, may_be_shed
from model_server.api.direct import Direct
from model_server.api.fair_turns import FairTurns
from model_server.api.grpc.addressee import model_of
from model_server.api.grpc.metadata import header
from model_server.api.grpc.receiving import Receiving
from model_server.api.grpc.standard_services import Health, add_reflection
from model_server.api.grpc.traced import traced
from model_server.api.grpc.unary import GenericHandler, Handler
from model_server.api.grpc.waiting import Waiting
from model_server.api.model_counts import ModelCounts
from model_server.api.native_port import NativePort
from model_server.api.sockets import CannotListen
from model_server.core.client import Client, working_for
from model_server.core.errors import Code, ServingError
from model_server.options.tls import Tls, TlsFile
from model_server.telemetry.tracing import NO_TRACING, Tracing

# grpcio holds a thread while a request's message is on its way, so there must be more of them than
# run requests: else a few slow clients would keep everybody waiting.
_RECEIVING = 256
# And while a request waits for its turn: else a slow model would keep all others waiting.
_WAITING = 1024
_LARGEST_HEADER = 16 * 2**10
# Of each address that is listened on, and of each connection.
_CONNECTIONS = 4096
_STREAMS = 1024
# Bytes of all messages that run or wait for their turn: two of the largest that there are.
_AT_HAND = 4 * 2**30
# Seconds; a deadline beyond is none.
_LONG = 86_400.0


# Waits until a request may run; whether somebody still waits for its answer.
_Turn = Callable[[bytes, grpc.ServicerContext], AbstractContextManager[bool]]


@dataclass(frozen=True)
class Listen:
    """Where to listen, for how many requests at a time; port 0 lets the system choose.

    ``threads`` requests run at a time, and of each model ``own`` in any case; beyond ``in_flight``
    that run or wait, if it is not None, more are refused, as they are beyond ``at_hand`` bytes of
    messages and beyond what ``models`` says of one model. ``shared`` is a native port that REST is
    served on, too.
    """

    port: int | None
    socket_path: str = ""
    threads: int = 8
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    tls: TlsFile | None = None
    alts: bool = False
    in_flight: int | None = None
    at_hand: int = _AT_HAND
    own: int | Callable[[str], int] = 1
    models: ModelCounts = field(default_factory=ModelCounts)
    shared: NativePort | None = None


class _Methods(GenericHandler):
    """The methods of all services; until they are known every call is told to come back."""

    def __init__(self, refused: Callable[[], None]) -> None:
        self.handlers: Mapping[str, Handler] | None = None
        self._refused = refused
        self._is_asked = False

    def service(self, details: grpc.HandlerCallDetails) -> Handler | None:
        if self._is_asked:
            # grpcio does not tell of calls above its limit: it looks for the method, and then does
            # not submit the call. One thread does both, so the next call knows.
            self._refused()
        handler = self._handler(details)
        self._is_asked = handler is not None
        return handler

    def admitted(self) -> None:
        """The call whose method was looked for last is going to be answered."""
        self._is_asked = False

    def _handler(self, details: grpc.HandlerCallDetails) -> Handler | None:
        if self.handlers is not None:
            return self.handlers.get(details.method)
        if details.method.startswith("/tensorflow."):
            return grpc.stream_unary_rpc_method_handler(_not_yet)
        return None


class _Pool(ThreadPoolExecutor):
    """Tells when grpcio submits a call."""

    def __init__(self, threads: int, admitted: Callable[[], None]) -> None:
        super().__init__(threads, thread_name_prefix="grpc")
        self._admitted = admitted

    def submit(self, *args: Any, **kwargs: Any) -> Any:
        self._admitted()
        return super().submit(*args, **kwargs)


def _no_turn(_request: bytes, _context: grpc.ServicerContext) -> AbstractContextManager[bool]:
    return nullcontext(True)


def _not_yet(_sent: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNAVAILABLE, "The server is starting")


def _options(listen: Listen) -> dict[str, int | str]:
    """The channel arguments of the server; the user's go before its own."""
    own: dict[str, int | str] = {
        # As TensorFlow Serving: messages are bounded by the 2 GiB of the protocol only.
        "grpc.max_receive_message_length": -1,
        "grpc.max_send_message_length": -1,
        # A port in use must be an error, not a share of its connections.
        "grpc.so_reuseport": 0,
        # A connection that does not begin to speak HTTP/2 is closed.
        "grpc.server_handshake_timeout_ms": 20_000,
        # A client whose machine is gone frees what its requests hold.
        "grpc.keepalive_time_ms": 60_000,
        "grpc.keepalive_timeout_ms": 20_000,
        "grpc.max_allowed_incoming_connections": _CONNECTIONS,
        "grpc.max_concurrent_streams": _STREAMS,
        "grpc.max_metadata_size": _LARGEST_HEADER,
        "grpc.absolute_max_metadata_size": 2 * _LARGEST_HEADER,
    }
    return own | dict(listen.channel_arguments)


class GrpcEndpoint:
    """A grpcio server with a thread pool."""

    def __init__(
        self,
        listen: Listen,
        health: Health | None = None,
        refused: Callable[[], None] = lambda: None,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        """``refused`` is told of each request above the limit, when the next one comes."""
        self._listen = listen
        self._health = health
        self._tracing = tracing
        self._methods = _Methods(refused)
        self._refused = refused
        self._turns = FairTurns(listen.threads, listen.own, _WAITING, refused)
        self._receiving = Receiving(_RECEIVING)
        self._at_hand = AtHand(listen.at_hand, "messages")
        self._server = grpc.server(
            _Pool(listen.threads + _RECEIVING + _WAITING, self._methods.admitted),
            handlers=[self._methods],
            options=tuple(_options(listen).items()),
            maximum_concurrent_rpcs=listen.in_flight,
        )
        self._reflections = add_reflection(self._server, with_health=health is not None)
        if health is not None:
            health.add_to(self._server, self._receiving)

    def start(self) -> int | None:
        """Opens the ports; returns the TCP port, None if there is none. Raises CannotListen."""
        port = None
        if self._listen.port is not None:
            port = self._open(f"0.0.0.0:{self._listen.port}")
        if self._listen.socket_path:
            self._open(f"unix:{self._listen.socket_path}")
        self._server.start()
        self._receiving.start()
        return port

    def _open(self, address: str) -> int:
        try:
            if self._listen.alts:
                return self._server.add_secure_port(address, grpc.alts_server_credentials())
            if self._listen.tls is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, _credentials(self._listen.tls))
        except RuntimeError as error:
            hint = "; --use_alts_credentials works on Google Cloud only"
            raise CannotListen(f"{error}{hint if self._listen.alts else ''}") from error

    def serve(
        self,
        handlers: Mapping[str, Handler],
        beside: Mapping[str, Handler] = MappingProxyType({}),
        waiting: Mapping[str, Waiting] = MappingProxyType({}),
        direct: Direct | None = None,
    ) -> None:
        """From now on calls reach these methods (by full path).

        Those of ``beside`` mostly wait, so they take no turn from the others. ``waiting`` knows
        which calls can wait without a thread, and ``direct`` which need no Python; grpcio has a
        thread and Python for each all the same.
        """
        self._methods.handlers = {
            **{
                path: self._received(
                    traced(self._tracing, path, handler, header), partial(self._turn, path)
                )
                for path, handler in handlers.items()
            },
            **{path: self._received(handler, _no_turn) for path, handler in beside.items()},
        }

    def forget(self) -> None:
        """See NativeEndpoint; here there is nothing to forget."""

    def _received(self, handler: Handler, turn: _Turn) -> Handler:
        answer = handler.unary_unary
        assert answer is not None, "all methods of the server are unary"

        def answer_received(sent: Iterator[bytes], context: grpc.ServicerContext) -> bytes:
            with self._message(sent, context) as request:
                asking = Client(
                    _deadline(context), may_be_shed=may_be_shed(header(context, HEADER))
                )
                if not context.add_callback(asking.gone):
                    # Nobody waits for the answer any more.
                    return b""
                with working_for(asking), turn(request, context) as is_waited_for:
                    return answer(request, context) if is_waited_for else b""

        # To grpcio they are streams of one message, for only so it calls before the message is in.
        return grpc.stream_unary_rpc_method_handler(answer_received)

    @contextmanager
    def _turn(self, path: str, request: bytes, context: grpc.ServicerContext) -> Iterator[bool]:
        models = self._listen.models
        model = models.counted_as(model_of(path, request))
        with ExitStack() as until_answered:
            try:
                until_answered.enter_context(models.request(model, self._refused))
                until_answered.enter_context(self._turns.turn(model))
            except ServingError as error:
                if error.code is Code.CANCELLED:
                    yield False
                    return
                context.abort(grpc_status(error.code), details(error.message))
            yield True

    @contextmanager
    def _message(self, sent: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[bytes]:
        with self._at_hand.request() as more:
            message = self._receiving.message(sent, context)
            try:
                more(len(message))
            except ServingError as error:
                context.abort(grpc_status(error.code), error.message)
            yield message

    def stop(self, grace: float) -> None:
        """Refuses new calls, waits for running ones at most ``grace`` seconds, closes the ports."""
        if self._health is not None:
            self._health.end()
        self._reflections.cancel()
        self._server.stop(grace).wait()
        self._receiving.end()


def _deadline(context: grpc.ServicerContext) -> float | None:
    remaining = context.time_remaining()
    # Clients may say thousands of years, which no lock can wait.
    return None if remaining is None or remaining > _LONG else time.monotonic() + remaining


def _credentials(file: TlsFile) -> grpc.ServerCredentials:
    shown = file.now()

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        # Called at each handshake.
        nonlocal shown
        before, shown = shown, file.now()
        return None if shown is before else _configuration(shown)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(shown),
        renewed,  # type: ignore[arg-type]  # grpc's stubs leave out None, which is no change
        require_client_authentication=shown.verify_clients,
    )


def _configuration(tls: Tls) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(tls.key, tls.certificate)], root_certificates=tls.client_ca
    )
