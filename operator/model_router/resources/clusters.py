"""Clusters and their endpoints: how Envoy reaches the pods of one revision over one protocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

# The literals below name this type; the parser must know it.
from envoy.extensions.upstreams.http.v3 import (
    http_protocol_options_pb2 as _upstream,  # noqa: F401
)

from model_router.record.endpoints import Endpoint
from model_router.resources.messages import TYPE, Kind, Protocol, Resource, resource

# Below the model server's own idle timeout, so that no request meets a connection just closing.
_UPSTREAM_IDLE = "30s"
# To one revision; what clients may open to the router is limited as well.
_MOST_CONNECTIONS = 4096
_MOST_REQUESTS = 20_000
_MOST_COPIES = 16


@dataclass(frozen=True)
class Bounds:
    """What one router asks of a revision at most: requests at the same time, and how long each.

    0 requests are no limit; without `longest`, routes alone bound the time.
    """

    most_requests: int = 0
    longest: timedelta | None = None


def shadow_bounds(longest: timedelta) -> Bounds:
    """A shadow that hangs must not collect copies: beyond these they are dropped."""
    return Bounds(_MOST_COPIES, longest)


def cluster(name: str, protocol: Protocol, bounds: Bounds) -> Resource:
    """A cluster whose endpoints come by EDS under the same name."""
    return resource(Kind.CLUSTER, name, _cluster(name, protocol, bounds))


def assignment(name: str, pods: Iterable[Endpoint], protocol: Protocol) -> Resource:
    """The endpoints of the cluster `name`."""
    hosts = [
        (pod.address, pod.grpc_port if protocol is Protocol.GRPC else pod.rest_port) for pod in pods
    ]
    if not hosts:
        return empty_assignment(name)
    endpoints = [{"endpoint": {"address": address(*host)}} for host in hosts]
    content = {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}
    return resource(Kind.ENDPOINTS, name, content)


def empty_assignment(cluster: str) -> Resource:
    """The endpoints of a cluster that has none."""
    return resource(Kind.ENDPOINTS, cluster, {"cluster_name": cluster})


def address(host: str, port: int) -> dict[str, Any]:
    """An IP address and a port, in Envoy's form."""
    return {"socket_address": {"address": host, "port_value": port}}


def _cluster(name: str, protocol: Protocol, bounds: Bounds) -> dict[str, Any]:
    return {
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {
            "eds_config": {
                "ads": {},
                "resource_api_version": "V3",
                # By default a lost answer would hold every other cluster back for 15 s.
                "initial_fetch_timeout": "2s",
            }
        },
        "lb_policy": "LEAST_REQUEST",
        "connect_timeout": "1s",
        "common_lb_config": {
            # Or Envoy sends to ejected pods as soon as fewer than half are healthy.
            "healthy_panic_threshold": {"value": 0},
            # Or an ejection takes effect up to 1 s late.
            "update_merge_window": "0s",
        },
        "outlier_detection": _outlier_detection(),
        "circuit_breakers": {"thresholds": [_limits(bounds.most_requests)]},
        "typed_extension_protocol_options": _upstream_http(protocol, bounds.longest),
    }


def _limits(most_requests: int) -> dict[str, Any]:
    return {
        "max_connections": _MOST_CONNECTIONS,
        # A burst that finds no connection yet waits; by default that is little more than 1,000.
        "max_pending_requests": most_requests or _MOST_REQUESTS,
        "max_requests": most_requests or _MOST_REQUESTS,
        # Retries must not become a second load when many pods are gone.
        "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 10},
    }


def _upstream_http(protocol: Protocol, longest: timedelta | None) -> dict[str, Any]:
    http: dict[str, Any] = {"http_protocol_options": {}}
    if protocol is Protocol.GRPC:
        keepalive = {"interval": "30s", "timeout": "5s"}
        http = {"http2_protocol_options": {"connection_keepalive": keepalive}}
    common = {"idle_timeout": _UPSTREAM_IDLE}
    if longest is not None:
        common["max_stream_duration"] = f"{longest.total_seconds():g}s"
    name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        name: {
            "@type": TYPE + name,
            "common_http_protocol_options": common,
            "explicit_http_config": http,
        }
    }


def _outlier_detection() -> dict[str, Any]:
    # Pods are ejected when they cannot be reached, never for what a model answers.
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 3,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_success_rate": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_local_origin_success_rate": 0,
        "interval": "0.5s",
        "base_ejection_time": "3s",
        "max_ejection_percent": 50,
    }
