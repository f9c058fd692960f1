"""Listeners: the ports of a model, and what its clients' connections may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

# The literals below name these types; the parser must know them.
from envoy.extensions.access_loggers.stream.v3 import stream_pb2 as _stream  # noqa: F401
from envoy.extensions.filters.http.grpc_stats.v3 import config_pb2 as _grpc_stats  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2 as _router  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as _http,  # noqa: F401
)
from envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    header_mutation_pb2 as _mutation,  # noqa: F401
)

from model_router.record.traffic import TrafficRecord
from model_router.resources.clusters import address
from model_router.resources.messages import (
    TYPE,
    Kind,
    Protocol,
    Resource,
    resource,
    route_name,
)

_FILTERS = TYPE + "envoy.extensions.filters"
_MOST_HEADER_KIB = 60
_MOST_HEADERS = 100
# What Envoy would obey if a client sent it: other retries and deadlines than the record's, and
# statistics under names of the client's choice, without end.
_NOT_FOR_CLIENTS = (
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-alt-stat-name",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-alt-response",
    "x-envoy-upstream-rq-timeout-ms",
    "x-envoy-upstream-stream-duration-ms",
)
# No headers and no query, which may hold what is nobody's business.
_LOGGED = {
    "time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "path": "%PATH(NQ)%",
    "protocol": "%PROTOCOL%",
    "code": "%RESPONSE_CODE%",
    "grpc": "%GRPC_STATUS(CAMEL_STRING)%",
    "flags": "%RESPONSE_FLAGS%",
    "revision": "%UPSTREAM_CLUSTER%",
    "pod": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "received": "%BYTES_RECEIVED%",
    "sent": "%BYTES_SENT%",
    "milliseconds": "%DURATION%",
}


@dataclass(frozen=True)
class Listening:
    """What the listeners of all models have in common; `address` is an IP address."""

    address: str
    longest_connection: timedelta
    access_log: bool


def listener(record: TrafficRecord, protocol: Protocol, listening: Listening) -> Resource:
    """The listener of a model for one protocol.

    Nothing that varies with traffic is in it: a changed listener drains its connections.
    """
    port = record.grpc_port if protocol is Protocol.GRPC else record.rest_port
    # With the port in its name, so that a model moves to another port without a gap.
    name = f"{record.name}/{protocol.value}/{port}"
    manager = f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager"
    connections = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {"@type": manager, **_connections(record, protocol, listening)},
    }
    content = {
        "name": name,
        "address": address(listening.address, port),
        "per_connection_buffer_limit_bytes": 1 << 20,
        # Or four connections may all land on one of two workers.
        "connection_balance_config": {"exact_balance": {}},
        "filter_chains": [{"filters": [connections]}],
    }
    return resource(Kind.LISTENER, name, content)


def _connections(record: TrafficRecord, protocol: Protocol, listening: Listening) -> dict[str, Any]:
    name = route_name(record.name, protocol)
    return {
        "stat_prefix": name,
        "codec_type": "HTTP2" if protocol is Protocol.GRPC else "AUTO",
        "rds": {
            "route_config_name": name,
            "config_source": {"ads": {}, "resource_api_version": "V3"},
        },
        "http_filters": _http_filters(protocol),
        "early_header_mutation_extensions": [_early_mutation()],
        "access_log": [_access_log(record)] if listening.access_log else [],
        "generate_request_id": False,
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "0s",
        # A client that sends its headers byte by byte must not hold a connection for ever.
        "request_headers_timeout": "30s",
        "max_request_headers_kb": _MOST_HEADER_KIB,
        # Connections end in time, so that long ones spread over the routers there are.
        "common_http_protocol_options": {
            "idle_timeout": "3600s",
            "max_connection_duration": f"{listening.longest_connection.total_seconds():g}s",
            "max_headers_count": _MOST_HEADERS,
        },
        "http1_safe_max_connection_duration": True,
        "http2_protocol_options": {
            "max_concurrent_streams": 1024,
            "initial_stream_window_size": 1 << 20,
            "initial_connection_window_size": 16 << 20,
            "connection_keepalive": {"interval": "60s", "timeout": "10s"},
        },
    }


def _http_filters(protocol: Protocol) -> list[dict[str, Any]]:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"},
    }
    if protocol is Protocol.REST:
        return [router]
    # gRPC errors travel as HTTP 200; this counts them for each revision.
    grpc_stats = {
        "@type": f"{_FILTERS}.http.grpc_stats.v3.FilterConfig",
        "enable_upstream_stats": True,
    }
    return [{"name": "envoy.filters.http.grpc_stats", "typed_config": grpc_stats}, router]


def _early_mutation() -> dict[str, Any]:
    kind = "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation"
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": TYPE + kind,
            "mutations": [{"remove": name} for name in _NOT_FOR_CLIENTS],
        },
    }


def _access_log(record: TrafficRecord) -> dict[str, Any]:
    line = {"model": record.name, **_LOGGED}
    return {
        "name": "envoy.access_loggers.stdout",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"json_format": line},
        },
    }
