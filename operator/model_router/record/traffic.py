"""The traffic record: how the requests for one ModelDeployment are split between revisions.

The contract is contracts/traffic-record.schema.json; the operator writes it, the router reads it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
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
MOST_SHARES = 32
MOST_REQUESTS = 1_000_000


@dataclass(frozen=True)
class Share:
    """The percentage of requests that one revision gets."""

    revision: str
    weight: int


@dataclass(frozen=True)
class TrafficRecord:
    """What the router does for one ModelDeployment; shares keep the order they were given in.

    One router sends a revision `most_requests` at the same time and refuses more; 0 is no limit.
    """

    name: str
    grpc_port: int
    rest_port: int
    timeout: timedelta
    split: tuple[Share, ...]
    most_requests: int = 0

    @property
    def ports(self) -> tuple[int, int]:
        """The ports the router listens on for this model."""
        return self.grpc_port, self.rest_port


def parse_record(text: bytes) -> TrafficRecord:
    """The record that `text` holds as JSON; raises InvalidDocument, which names the field."""
    document = load(text)
    # First, because the fields of another version mean nothing here.
    schema(document, SCHEMA)
    required = ("schema", "name", "ports", "timeoutSeconds", "split")
    fields(document, "", required, optional=("maxConcurrentRequests",))
    ports = mapping(document["ports"], "ports")
    fields(ports, "ports", ("grpc", "rest"))
    record = TrafficRecord(
        name=dns_label(document["name"], "name"),
        # Ports below 1024 need a right that restricted pods do not have.
        grpc_port=whole_number(ports["grpc"], "ports.grpc", 1024, 65535),
        rest_port=whole_number(ports["rest"], "ports.rest", 1024, 65535),
        timeout=timedelta(
            seconds=whole_number(document["timeoutSeconds"], "timeoutSeconds", 1, 3600)
        ),
        split=_split(document["split"]),
        most_requests=whole_number(
            document.get("maxConcurrentRequests", 0), "maxConcurrentRequests", 0, MOST_REQUESTS
        ),
    )
    if record.grpc_port == record.rest_port:
        raise InvalidDocument(f"ports.rest: is {record.rest_port}, the same as ports.grpc")
    return record


def _split(value: Any) -> tuple[Share, ...]:
    shares = []
    for index, item in enumerate(items(value, "split", 1, MOST_SHARES)):
        path = f"split[{index}]"
        share = mapping(item, path)
        fields(share, path, ("revision", "weight"))
        shares.append(
            Share(
                revision=dns_label(share["revision"], f"{path}.revision"),
                weight=whole_number(share["weight"], f"{path}.weight", 0, 100),
            )
        )
    names = [share.revision for share in shares]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise InvalidDocument(f"split[{index}].revision: {name!r} is there already")
    total = sum(share.weight for share in shares)
    if total != 100:
        raise InvalidDocument(f"split: weights add up to {total}, not to 100")
    return tuple(shares)
