"""The gRPC server: its ports open at once, its methods come when the service is ready."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc

from model_server.api.grpc.standard_services import Health, add_reflection
from model_server.api.grpc.unary import GenericHandler, Handler
from model_server.options.tls import Tls


class CannotListen(OSError):
    """An address that cannot be listened on."""


@dataclass(frozen=True)
class Listen:
    """Where to listen, for how many requests at a time; port 0 lets the system choose."""

    port: int | None
    socket_path: str = ""
    threads: int = 8
    channel_arguments: tuple[tuple[str, int | str], ...] = ()
    tls: Tls | None = None


class _Methods(GenericHandler):
    """The methods of all services; until they are known every call is told to come back."""

    def __init__(self) -> None:
        self.handlers: Mapping[str, Handler] | None = None

    def service(self, details: grpc.HandlerCallDetails) -> Handler | None:
        if self.handlers is not None:
            return self.handlers.get(details.method)
        if details.method.startswith("/tensorflow."):
            return grpc.unary_unary_rpc_method_handler(_not_yet)
        return None


def _not_yet(_request: bytes, context: grpc.ServicerContext) -> bytes:
    context.abort(grpc.StatusCode.UNAVAILABLE, "The server is starting")


class GrpcEndpoint:
    """A grpcio server with a thread pool."""

    def __init__(self, listen: Listen, health: Health | None = None) -> None:
        self._listen = listen
        self._health = health
        self._methods = _Methods()
        options = [
            # As TensorFlow Serving: messages are bounded by the 2 GiB of the protocol only.
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            # A port in use must be an error, not a share of its connections.
            ("grpc.so_reuseport", 0),
            *listen.channel_arguments,
        ]
        self._server = grpc.server(
            ThreadPoolExecutor(listen.threads, thread_name_prefix="grpc"),
            handlers=[self._methods],
            options=options,
        )
        add_reflection(self._server, with_health=health is not None)
        if health is not None:
            health.add_to(self._server)

    def start(self) -> int | None:
        """Opens the ports; returns the TCP port, None if there is none. Raises CannotListen."""
        port = None
        if self._listen.port is not None:
            port = self._open(f"0.0.0.0:{self._listen.port}")
        if self._listen.socket_path:
            self._open(f"unix:{self._listen.socket_path}")
        self._server.start()
        return port

    def _open(self, address: str) -> int:
        try:
            if self._listen.tls is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, _credentials(self._listen.tls))
        except RuntimeError as error:
            raise CannotListen(str(error)) from error

    def serve(self, handlers: Mapping[str, Handler]) -> None:
        """From now on calls reach these methods (by full path)."""
        self._methods.handlers = handlers

    def stop(self, grace: float) -> None:
        """Refuses new calls, waits for running ones at most ``grace`` seconds, closes the ports."""
        if self._health is not None:
            self._health.end()
        self._server.stop(grace).wait()


def _credentials(tls: Tls) -> grpc.ServerCredentials:
    return grpc.ssl_server_credentials(
        [(tls.key, tls.certificate)],
        root_certificates=tls.client_ca,
        require_client_auth=tls.verify_clients,
    )
