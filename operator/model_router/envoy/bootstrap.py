"""The configuration an Envoy starts with: where to ask for everything else; pure."""

from __future__ import annotations

from typing import Any

from model_router.envoy.statistics import stats_config

_MOST_CONNECTIONS = 20_000
_HTTP2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}


def bootstrap(admin_socket: str, ads_socket: str) -> dict[str, Any]:
    """Envoy's bootstrap, with UNIX sockets only: its admin interface could end it."""
    source = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    return {
        "node": {"id": "model-router", "cluster": "modelfleet"},
        "admin": {"address": {"pipe": {"path": admin_socket, "mode": 0o600}}},
        "dynamic_resources": {
            "ads_config": _ads_config(),
            # With the default, Envoy calls itself ready after 15 s without any configuration.
            "cds_config": source,
            "lds_config": source,
        },
        "static_resources": {"clusters": [_ads_cluster(ads_socket)]},
        "stats_flush_interval": "1s",
        "stats_config": stats_config(),
        "deferred_stat_options": {"enable_deferred_creation_stats": True},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.resource_monitors"
                        ".downstream_connections.v3.DownstreamConnectionsConfig",
                        "max_active_downstream_connections": _MOST_CONNECTIONS,
                    },
                }
            ]
        },
    }


def _ads_config() -> dict[str, Any]:
    # Back in a moment after the router's restart; by default Envoy waits up to 30 s.
    back_off = {"base_interval": "0.1s", "max_interval": "1s"}
    service = {"cluster_name": "ads", "retry_policy": {"retry_back_off": back_off}}
    return {
        "api_type": "DELTA_GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": service}],
    }


def _ads_cluster(socket: str) -> dict[str, Any]:
    address = {"pipe": {"path": socket}}
    return {
        "name": "ads",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": _HTTP2,
        "load_assignment": {
            "cluster_name": "ads",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
