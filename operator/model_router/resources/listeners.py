"""Listeners: the ports of a model, and what its clients' connections may do."""

from __future__ import annotations

from typing import Any

# The literals below name these types; the parser must know them.
from envoy.extensions.filters.http.grpc_stats.v3 import config_pb2 as _grpc_stats  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2 as _router  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as _http,  # noqa: F401
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


def listener(record: TrafficRecord, protocol: Protocol, host: str) -> Resource:
    """The listener of a model for one protocol on the IP address `host`.

    Nothing that varies with traffic is in it: a changed listener drains its connections.
    """
    port = record.grpc_port if protocol is Protocol.GRPC else record.rest_port
    # With the port in its name, so that a model moves to another port without a gap.
    name = f"{record.name}/{protocol.value}/{port}"
    manager = f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager"
    connections = {
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {"@type": manager, **_connections(record, protocol)},
    }
    content = {
        "name": name,
        "address": address(host, port),
        "per_connection_buffer_limit_bytes": 1 << 20,
        # Or four connections may all land on one of two workers.
        "connection_balance_config": {"exact_balance": {}},
        "filter_chains": [{"filters": [connections]}],
    }
    return resource(Kind.LISTENER, name, content)


def _connections(record: TrafficRecord, protocol: Protocol) -> dict[str, Any]:
    name = route_name(record.name, protocol)
    filters: list[dict[str, Any]] = [
        {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": f"{_FILTERS}.http.router.v3.Router"},
        }
    ]
    if protocol is Protocol.GRPC:
        # gRPC errors travel as HTTP 200; this counts them for each revision.
        grpc_stats = {
            "@type": f"{_FILTERS}.http.grpc_stats.v3.FilterConfig",
            "enable_upstream_stats": True,
        }
        filters.insert(0, {"name": "envoy.filters.http.grpc_stats", "typed_config": grpc_stats})
    return {
        "stat_prefix": name,
        "codec_type": "HTTP2" if protocol is Protocol.GRPC else "AUTO",
        "rds": {
            "route_config_name": name,
            "config_source": {"ads": {}, "resource_api_version": "V3"},
        },
        "http_filters": filters,
        "generate_request_id": False,
        "server_header_transformation": "PASS_THROUGH",
        "stream_idle_timeout": "0s",
        # Connections end in time, so that long ones spread over the routers there are.
        "common_http_protocol_options": {
            "idle_timeout": "3600s",
            "max_connection_duration": "1800s",
        },
        "http1_safe_max_connection_duration": True,
        "http2_protocol_options": {
            "max_concurrent_streams": 1024,
            "initial_stream_window_size": 1 << 20,
            "initial_connection_window_size": 16 << 20,
            "connection_keepalive": {"interval": "60s", "timeout": "10s"},
        },
    }
