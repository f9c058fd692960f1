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
    header_name,
    header_value,
    items,
    load,
    mapping,
    schema,
    whole_number,
)

SCHEMA = 1
MOST_SHARES = 32
MOST_REQUESTS = 1_000_000
MOST_MATCHES = 32
_REQUIRED = ("schema", "name", "ports", "timeoutSeconds", "split")
_OPTIONAL = ("maxConcurrentRequests", "matches", "stickyHeader", "shadow")


@dataclass(frozen=True)
class Share:
    """The percentage of requests that one revision gets."""

    revision: str
    weight: int


@dataclass(frozen=True)
class Match:
    """Requests whose header has one value, or matches a regular expression, go to one revision."""

    header: str
    value: str
    is_regex: bool
    revision: str


@dataclass(frozen=True)
class Shadow:
    """The percentage of requests of which a revision gets copies; its answers are dropped."""

    revision: str
    percent: int


@dataclass(frozen=True)
class TrafficRecord:
    """What the router does for one ModelDeployment; shares keep the order they were given in.

    One router sends a revision `most_requests` at the same time and refuses more; 0 is no limit.
    The first of `matches` that fits wins, also over the split. Requests with the same value in
    `sticky_header` go to the same share while weights stay.
    """

    name: str
    grpc_port: int
    rest_port: int
    timeout: timedelta
    split: tuple[Share, ...]
    most_requests: int = 0
    matches: tuple[Match, ...] = ()
    sticky_header: str = ""
    shadow: Shadow | None = None

    @property
    def ports(self) -> tuple[int, int]:
        """The ports the router listens on for this model."""
        return self.grpc_port, self.rest_port

    @property
    def answering(self) -> tuple[str, ...]:
        """The revisions that may get requests, each once."""
        named = [share.revision for share in self.split] + [m.revision for m in self.matches]
        return tuple(dict.fromkeys(named))

    @property
    def revisions(self) -> tuple[str, ...]:
        """All revisions the record is about, each once."""
        return (*self.answering, *([self.shadow.revision] if self.shadow else []))


def parse_record(text: bytes) -> TrafficRecord:
    """The record that `text` holds as JSON; raises InvalidDocument, which names the field."""
    document = load(text)
    # First, because the fields of another version mean nothing here.
    schema(document, SCHEMA)
    fields(document, "", _REQUIRED, _OPTIONAL)
    ports = mapping(document["ports"], "ports")
    fields(ports, "ports", ("grpc", "rest"))
    limit = document.get("maxConcurrentRequests", 0)
    record = TrafficRecord(
        name=dns_label(document["name"], "name"),
        # Ports below 1024 need a right that restricted pods do not have.
        grpc_port=whole_number(ports["grpc"], "ports.grpc", 1024, 65535),
        rest_port=whole_number(ports["rest"], "ports.rest", 1024, 65535),
        timeout=timedelta(
            seconds=whole_number(document["timeoutSeconds"], "timeoutSeconds", 1, 3600)
        ),
        split=_split(document["split"]),
        most_requests=whole_number(limit, "maxConcurrentRequests", 0, MOST_REQUESTS),
        matches=_matches(document.get("matches", [])),
        sticky_header=_sticky_header(document),
        shadow=_shadow(document["shadow"]) if "shadow" in document else None,
    )
    if record.grpc_port == record.rest_port:
        raise InvalidDocument(f"ports.rest: is {record.rest_port}, the same as ports.grpc")
    if record.shadow and record.shadow.revision in record.answering:
        # Its limits are a shadow's, and what it does must not count as what clients were answered.
        raise InvalidDocument(f"shadow.revision: {record.shadow.revision!r} gets requests already")
    return record


def _matches(value: Any) -> tuple[Match, ...]:
    matches = []
    for index, item in enumerate(items(value, "matches", 0, MOST_MATCHES)):
        path = f"matches[{index}]"
        match = mapping(item, path)
        kind = "regex" if "regex" in match else "exact"
        fields(match, path, ("header", kind, "revision"))
        matches.append(
            Match(
                header=header_name(match["header"], f"{path}.header"),
                value=header_value(match[kind], f"{path}.{kind}"),
                is_regex=kind == "regex",
                revision=dns_label(match["revision"], f"{path}.revision"),
            )
        )
    return tuple(matches)


def _sticky_header(document: dict[str, Any]) -> str:
    if "stickyHeader" not in document:
        return ""
    return header_name(document["stickyHeader"], "stickyHeader")


def _shadow(value: Any) -> Shadow:
    shadow = mapping(value, "shadow")
    fields(shadow, "shadow", ("revision", "percent"))
    return Shadow(
        revision=dns_label(shadow["revision"], "shadow.revision"),
        percent=whole_number(shadow["percent"], "shadow.percent", 0, 100),
    )


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
