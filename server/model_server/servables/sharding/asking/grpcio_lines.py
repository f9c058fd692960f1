"""Calls by grpcio, which knows TLS in all its ways."""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import grpc

from model_server.core.errors import Code, ServingError
from model_server.options.tls import Tls, TlsFile
from model_server.servables.sharding.asking.methods import PREDICT

_CHANNEL: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A failed question is the failure of the request, which another group may answer.
    ("grpc.enable_retries", 0),
    # A member that comes back has another address; gRPC would look only every 30 seconds.
    ("grpc.dns_min_time_between_resolutions_ms", 500),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
]


class GrpcioLines:
    """See Lines."""

    def __init__(self, timeout_seconds: float, tls: TlsFile | None) -> None:
        self._timeout = timeout_seconds
        self._file = tls
        self._lock = threading.Lock()
        self._predicts: dict[str, Any] = {}
        self._tls: Tls | None = None

    def ask(self, messages: Sequence[tuple[str, bytes]]) -> list[bytes | ServingError]:
        """See Lines.ask."""
        # One that is called is cheaper than one that is waited for.
        waiting = [
            self._predict(address).future(message, timeout=self._timeout)
            for address, message in messages[:-1]
        ]
        last = [
            _answer(partial(self._predict(address), message, self._timeout))
            for address, message in messages[-1:]
        ]
        return [*(_answer(call.result) for call in waiting), *last]

    def _predict(self, address: str) -> Any:
        tls = self._file.now() if self._file else None
        with self._lock:
            if tls is not self._tls:
                # Renewed certificates are for new connections.
                self._tls, self._predicts = tls, {}
            if address not in self._predicts:
                # Without serializers messages stay bytes.
                self._predicts[address] = _channel(address, tls).unary_unary(PREDICT, None, None)
            return self._predicts[address]


def _answer(wait: Callable[[], bytes]) -> bytes | ServingError:
    try:
        return wait()
    except grpc.RpcError as error:
        status: Any = error
        return ServingError(Code(status.code().value[0]), str(status.details()))


def _channel(address: str, tls: Tls | None) -> grpc.Channel:
    if tls is None:
        return grpc.insecure_channel(address, _CHANNEL)
    # Without an authority of their own all members show one certificate.
    trusted = tls.client_ca or tls.certificate
    credentials = grpc.ssl_channel_credentials(trusted, tls.key, tls.certificate)
    return grpc.secure_channel(address, credentials, _CHANNEL)
