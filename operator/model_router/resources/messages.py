"""Named, versioned messages for Envoy, made from literals that read like its documentation.

Names are MODEL/REVISION/PROTOCOL for clusters and MODEL/PROTOCOL for routes, without dots: Envoy
splits the names of statistics at the first one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

# Each type that a literal below names must be known to the parser before it is met there.
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from google.protobuf import any_pb2, json_format
from google.protobuf.message import Message

TYPE = "type.googleapis.com/"


class Kind(Enum):
    """The four kinds of resources, by Envoy's type URL."""

    CLUSTER = TYPE + "envoy.config.cluster.v3.Cluster"
    ENDPOINTS = TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment"
    ROUTE = TYPE + "envoy.config.route.v3.RouteConfiguration"
    LISTENER = TYPE + "envoy.config.listener.v3.Listener"


class Protocol(Enum):
    """What a listener speaks."""

    GRPC = "grpc"
    REST = "rest"


@dataclass(frozen=True)
class Resource:
    """One named message for Envoy; the version is a hash of its content."""

    kind: Kind
    name: str
    version: str
    body: any_pb2.Any


def cluster_name(model: str, revision: str, protocol: Protocol) -> str:
    """The name that Envoy's statistics carry for one revision over one protocol."""
    return f"{model}/{revision}/{protocol.value}"


def route_name(model: str, protocol: Protocol) -> str:
    """The name of a model's routes over one protocol, and of their statistics."""
    return f"{model}/{protocol.value}"


_MESSAGES: dict[Kind, type[Message]] = {
    Kind.CLUSTER: cluster_pb2.Cluster,
    Kind.ENDPOINTS: endpoint_pb2.ClusterLoadAssignment,
    Kind.ROUTE: route_pb2.RouteConfiguration,
    Kind.LISTENER: listener_pb2.Listener,
}


def resource(kind: Kind, name: str, content: Mapping[str, Any]) -> Resource:
    """The message that `content` spells out; raises ParseError for a field Envoy does not have."""
    message = json_format.ParseDict(dict(content), _MESSAGES[kind]())
    # Not Any.Pack: the order of map fields must not change the version.
    value = message.SerializeToString(deterministic=True)
    body = any_pb2.Any(type_url=kind.value, value=value)
    return Resource(kind, name, hashlib.sha256(value).hexdigest()[:16], body)
