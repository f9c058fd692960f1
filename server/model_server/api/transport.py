"""What speaks gRPC and HTTP, where and within which limits, by the options."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec

from model_server.api.grpc.endpoint import GrpcEndpoint
from model_server.api.grpc.endpoint import Listen as GrpcListen
from model_server.api.grpc.native.endpoint import NativeEndpoint
from model_server.api.native_port import NativePort
from model_server.api.rest.endpoint import RestEndpoint
from model_server.api.rest.listening import BodyLimits
from model_server.api.rest.listening import Listen as RestListen
from model_server.api.rest.native import NativeRestEndpoint
from model_server.batching.bell import Bell, PlainBell
from model_server.options.channel_arguments import channel_arguments_of
from model_server.options.cpus import CPUS
from model_server.options.flags import Options
from model_server.options.tls import tls_of

_log = logging.getLogger(__name__)

# Requests of each API, and of each model, that may wait for a batch, if no flag says how many: they
# take no processor.
WAITING = 64


@dataclass(frozen=True)
class Transport:
    """What makes the endpoints, and what they are made by; ``rest`` is None where REST is off."""

    grpc_endpoint: Callable[..., GrpcEndpoint | NativeEndpoint]
    rest_endpoint: Callable[..., RestEndpoint | NativeRestEndpoint]
    grpc: GrpcListen
    rest: RestListen | None


def transport_of(options: Options) -> Transport:
    """What the options ask for.

    The native transport serves both APIs on all sockets, unless they differ in their certificates:
    what one of them protects must not be open by the other. Raises CannotListen.
    """
    grpc, rest = _grpc_listen(options), _rest_listen(options)
    has_one_port = options.rest_api_port == options.port
    if not is_native(options):
        return Transport(GrpcEndpoint, RestEndpoint, grpc, _checked(rest, has_one_port))
    if rest is None or options.rest_api_ssl_config_file != options.ssl_config_file:
        return Transport(NativeEndpoint, NativeRestEndpoint, grpc, _checked(rest, has_one_port))
    shared = NativePort()
    grpc = replace(grpc, shared=shared)
    rest = replace(rest, shared=shared, port=None if has_one_port else rest.port)
    return Transport(NativeEndpoint, NativeRestEndpoint, grpc, rest)


def is_native(options: Options) -> bool:
    """Whether the native transport is to be used."""
    if options.transport != "auto":
        return options.transport == "native"
    return find_spec("modelfleet_transport") is not None and not options.use_alts_credentials


def bell_of(options: Options) -> Callable[[], Bell]:
    """What makes the bells of threads that run batches: those that the transport can ring."""
    if not is_native(options) or find_spec("modelfleet_transport") is None:
        return PlainBell
    from modelfleet_transport import Bell as NativeBell

    found: Callable[[], Bell] = NativeBell
    return found


def _checked(rest: RestListen | None, has_one_port: bool) -> RestListen | None:
    if rest is not None and has_one_port:
        _log.error(
            "server_options.http_port cannot be same as grpc_port. Please use a different port"
            " for HTTP/REST API. Skipped exporting HTTP/REST API."
        )
        return None
    return rest


def at_once(options: Options, threads: int) -> int:
    """How many requests may run or wait for a batch, by a flag that may say nothing."""
    if options.enable_batching and threads == 4 * CPUS:
        return max(threads, WAITING)
    return max(threads, 1)


def _grpc_listen(options: Options) -> GrpcListen:
    return GrpcListen(
        port=options.port or None,
        socket_path=options.grpc_socket_path,
        threads=at_once(options, options.grpc_max_threads),
        channel_arguments=channel_arguments_of(options.grpc_channel_arguments),
        tls=tls_of(options.ssl_config_file),
        alts=options.use_alts_credentials,
        in_flight=max(options.max_in_flight_requests, 0) or None,
    )


def _rest_listen(options: Options) -> RestListen | None:
    if not options.rest_api_port:
        return None
    milliseconds = options.rest_api_timeout_in_ms
    return RestListen(
        port=options.rest_api_port,
        threads=at_once(options, options.rest_api_num_threads),
        timeout=milliseconds / 1000 if milliseconds > 0 else None,
        cors=options.rest_api_enable_cors_support,
        in_flight=max(options.max_in_flight_requests, 0) or None,
        body=BodyLimits(options.rest_api_max_body_bytes, options.rest_api_max_json_values),
        tls=tls_of(options.rest_api_ssl_config_file),
    )
