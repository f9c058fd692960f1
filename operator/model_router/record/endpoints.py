"""The ready pods of one revision, as the router keeps them on disk."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from model_router.record.documents import (
    InvalidDocument,
    dns_label,
    fields,
    items,
    load,
    mapping,
    schema,
    whole_number,
)

SCHEMA = 1
MOST_ENDPOINTS = 5000


@dataclass(frozen=True, order=True)
class Endpoint:
    """One ready pod: its IP address, and the ports its model server answers on."""

    address: str
    grpc_port: int
    rest_port: int


@dataclass(frozen=True)
class RevisionEndpoints:
    """All ready pods of a revision, sorted, each once."""

    revision: str
    endpoints: tuple[Endpoint, ...]


def parse_endpoints(text: bytes) -> RevisionEndpoints:
    """The endpoints that `text` holds as JSON; raises InvalidDocument, which names the field.

    {"schema": 1, "revision": NAME,
     "endpoints": [{"address": IP, "grpcPort": PORT, "restPort": PORT}]}
    """
    document = load(text)
    schema(document, SCHEMA)
    fields(document, "", ("schema", "revision", "endpoints"))
    found = items(document["endpoints"], "endpoints", 0, MOST_ENDPOINTS)
    return RevisionEndpoints(
        revision=dns_label(document["revision"], "revision"),
        endpoints=tuple(sorted({_endpoint(item, i) for i, item in enumerate(found)})),
    )


def _endpoint(item: Any, index: int) -> Endpoint:
    path = f"endpoints[{index}]"
    endpoint = mapping(item, path)
    fields(endpoint, path, ("address", "grpcPort", "restPort"))
    try:
        # A name would be looked up, and its owner could send traffic anywhere.
        address = str(ipaddress.ip_address(str(endpoint["address"])))
    except ValueError as error:
        raise InvalidDocument(f"{path}.address: must be an IP address") from error
    return Endpoint(
        address=address,
        grpc_port=whole_number(endpoint["grpcPort"], f"{path}.grpcPort", 1, 65535),
        rest_port=whole_number(endpoint["restPort"], f"{path}.restPort", 1, 65535),
    )
