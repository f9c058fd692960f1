"""Routes: how requests are split between revisions, retried and bounded in time."""

from __future__ import annotations

from typing import Any

# The literals below name this type; the parser must know it.
from envoy.extensions.retry.host.previous_hosts.v3 import (
    previous_hosts_pb2 as _previous_hosts,  # noqa: F401
)

from model_router.record.traffic import Match, TrafficRecord
from model_router.resources.messages import (
    TYPE,
    Kind,
    Protocol,
    Resource,
    cluster_name,
    resource,
    route_name,
)

# Tells callers which revision was drawn, so that they can count what came of it.
REVISION_HEADER = "x-modelfleet-revision"
# By this a model server says that it computed nothing, and that another may.
_ELSEWHERE = ("x-modelfleet-retry", "elsewhere")
# Bodies up to this size can be sent again after a failed connection; larger ones fail at once.
_RETRIED_BODY_BYTES = 16 << 20


def route(record: TrafficRecord, protocol: Protocol) -> Resource:
    """The routes of a model over one protocol; the first that fits a request wins."""
    name = route_name(record.name, protocol)
    chosen = [_chosen(record, match, protocol) for match in record.matches]
    routes = [*chosen, _route(record, protocol, {}, _split(record, protocol))]
    host = {"name": "model", "domains": ["*"], "routes": routes}
    return resource(Kind.ROUTE, name, {"name": name, "virtual_hosts": [host]})


def _chosen(record: TrafficRecord, match: Match, protocol: Protocol) -> dict[str, Any]:
    text = {"safe_regex": {"regex": match.value}} if match.is_regex else {"exact": match.value}
    header = {"name": match.header, "string_match": text}
    cluster = cluster_name(record.name, match.revision, protocol)
    made = _route(record, protocol, {"headers": [header]}, {"cluster": cluster})
    return made | {"response_headers_to_add": [_named(match.revision)]}


def _route(
    record: TrafficRecord, protocol: Protocol, match: dict[str, Any], target: dict[str, Any]
) -> dict[str, Any]:
    return {
        "match": {"prefix": "/", **match},
        "request_body_buffer_limit": _RETRIED_BODY_BYTES,
        "route": {
            **target,
            "retry_policy": _retry_policy(),
            "request_mirror_policies": _copies(record, protocol),
            **_limits(record, protocol),
        },
    }


def _split(record: TrafficRecord, protocol: Protocol) -> dict[str, Any]:
    clusters = [
        {
            "name": cluster_name(record.name, share.revision, protocol),
            "weight": share.weight,
            "response_headers_to_add": [_named(share.revision)],
        }
        for share in record.split
    ]
    if not record.sticky_header:
        return {"weighted_clusters": {"clusters": clusters}}
    return {
        # The hash of the value, modulo 100, falls into one share: the order of shares matters.
        "weighted_clusters": {"clusters": clusters, "use_hash_policy": True},
        "hash_policy": [{"header": {"header_name": record.sticky_header}}],
    }


def _named(revision: str) -> dict[str, Any]:
    # What a pod says of itself under that name is not passed on.
    header = {"key": REVISION_HEADER, "value": revision}
    return {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _copies(record: TrafficRecord, protocol: Protocol) -> list[dict[str, Any]]:
    shadow = record.shadow
    if shadow is None or not shadow.percent:
        return []
    percent = {"numerator": shadow.percent, "denominator": "HUNDRED"}
    return [
        {
            "cluster": cluster_name(record.name, shadow.revision, protocol),
            "runtime_fraction": {"default_value": percent},
            # By default the copy would go to another host name than the request.
            "disable_shadow_host_suffix_append": True,
        }
    ]


def _limits(record: TrafficRecord, protocol: Protocol) -> dict[str, Any]:
    timeout = f"{record.timeout.total_seconds():g}s"
    if protocol is Protocol.REST:
        return {"timeout": timeout}
    # A plain timeout would end as UNAVAILABLE; this ends as DEADLINE_EXCEEDED, and the model
    # server sees the shortened deadline.
    duration = {"max_stream_duration": timeout, "grpc_timeout_header_max": timeout}
    return {"timeout": "0s", "max_stream_duration": duration}


def _retry_policy() -> dict[str, Any]:
    name, value = _ELSEWHERE
    previous_hosts = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    return {
        # Only what the model server certainly never began to answer, or says that another could:
        # a group that has lost a member, until its pods are unready.
        "retry_on": "connect-failure,refused-stream,reset-before-request,retriable-headers",
        "retriable_headers": [{"name": name, "string_match": {"exact": value}}],
        # So that a request gets past most members of such a group.
        "num_retries": 5,
        "host_selection_retry_max_attempts": 10,
        "retry_back_off": {"base_interval": "0.01s", "max_interval": "0.1s"},
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": {"@type": TYPE + previous_hosts},
            }
        ],
    }
