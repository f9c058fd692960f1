"""How the requests for a ModelDeployment are split, and where its router listens for them."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from model_operator.domain.errors import UNREADABLE
from model_operator.domain.manifests import Manifest
from model_operator.domain.routing.routers import FIRST_PORT, LAST_PORT

# The router has nouns of its own for the same record, as it has a connection of its own to the API
# server. The programs share contracts/traffic-record.schema.json and no code: their images are
# built and rolled out apart, and either may be of an earlier release. Tests read with the one what
# the other wrote.
SCHEMA = 1
RECORD_KEY = "record.json"
# Beside the record, for the operator itself: what to fall back to.
STABLE_KEY = "stable"
RECORD_LABEL = ("app.kubernetes.io/component", "traffic-record")


@dataclass(frozen=True, order=True)
class Ports:
    """Where the router listens for one model; no two models of a namespace share one."""

    grpc: int
    rest: int


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
class Traffic:
    """What a router is to do for one ModelDeployment; the weights of the split are 100 together.

    The order of the split is kept from one record to the next, so that few users of a sticky
    split change sides. `most_requests` bounds those that one router has open; 0 does not. The
    first of `matches` that fits wins over the split. The shadow's revision is in neither.
    """

    ports: Ports
    split: tuple[Share, ...]
    timeout_seconds: int = 30
    most_requests: int = 0
    matches: tuple[Match, ...] = ()
    sticky_header: str = ""
    shadow: Shadow | None = None


@dataclass(frozen=True)
class Recorded:
    """What a traffic record says: its ports, the percentage of each revision, the stable one.

    `chosen` are the revisions that headers choose, whatever the percentages.
    """

    ports: Ports
    weights: Mapping[str, int]
    stable: str
    chosen: frozenset[str] = frozenset()


def record_name(deployment: str) -> str:
    """The ConfigMap that holds the traffic record of a ModelDeployment."""
    return f"{deployment}-traffic"


def record_text(deployment: str, traffic: Traffic) -> str:
    """The traffic record of contracts/traffic-record.schema.json; equal texts for equal traffic."""
    record: dict[str, Any] = {
        "schema": SCHEMA,
        "name": deployment,
        "ports": {"grpc": traffic.ports.grpc, "rest": traffic.ports.rest},
        "timeoutSeconds": traffic.timeout_seconds,
        "split": [{"revision": s.revision, "weight": s.weight} for s in traffic.split],
    }
    # Absent where there is nothing to say: then routers of earlier releases take it as well.
    if traffic.most_requests:
        record["maxConcurrentRequests"] = traffic.most_requests
    if traffic.matches:
        record["matches"] = [_match(match) for match in traffic.matches]
    if traffic.sticky_header:
        record["stickyHeader"] = traffic.sticky_header
    if shadow := traffic.shadow:
        record["shadow"] = {"revision": shadow.revision, "percent": shadow.percent}
    return json.dumps(record, indent=1)


def _match(match: Match) -> dict[str, str]:
    kind = "regex" if match.is_regex else "exact"
    return {"header": match.header, kind: match.value, "revision": match.revision}


def ports_of(config_map: Manifest) -> Ports | None:
    """The ports that a traffic record has, or None for what is no record of this operator."""
    try:
        ports = json.loads(config_map["data"][RECORD_KEY])["ports"]
        return Ports(int(ports["grpc"]), int(ports["rest"]))
    except UNREADABLE:
        return None


def recorded(config_map: Manifest) -> Recorded | None:
    """The record in a ConfigMap; None when somebody has spoilt it."""
    ports = ports_of(config_map)
    if ports is None:
        return None
    data = config_map["data"]
    try:
        record = json.loads(data[RECORD_KEY])
        weights = {str(item["revision"]): int(item["weight"]) for item in record["split"]}
        chosen = frozenset(str(item["revision"]) for item in record.get("matches", ()))
    except UNREADABLE:
        return None
    return Recorded(ports, weights, str(data.get(STABLE_KEY, "")), chosen)


def choose_ports(deployment: str, own: Ports | None, others: Mapping[str, Ports]) -> Ports:
    """Ports for a ModelDeployment, the same again and again.

    Two that are made at the same moment may choose the same: then the first by name keeps them.

    Args:
        deployment: its name.
        own: the ports it has already.
        others: those of the other ModelDeployments of the namespace, by name.

    Raises:
        ValueError: all ports of the namespace's router are taken.
    """
    taken = {port for ports in others.values() for port in (ports.grpc, ports.rest)}
    if own is not None and _may_keep(deployment, own, others):
        return own
    return _first_free(deployment, taken)


def _may_keep(deployment: str, own: Ports, others: Mapping[str, Ports]) -> bool:
    mine = {own.grpc, own.rest}
    if len(mine) < 2 or not all(FIRST_PORT <= port <= LAST_PORT for port in mine):
        return False
    rivals = [name for name, ports in others.items() if mine & {ports.grpc, ports.rest}]
    return all(deployment < rival for rival in rivals)


def _first_free(deployment: str, taken: Collection[int]) -> Ports:
    """The search begins at a place of its own for each name, so that two rarely meet."""
    pairs = (LAST_PORT - FIRST_PORT + 1) // 2
    start = int.from_bytes(hashlib.sha256(deployment.encode()).digest()[:4]) % pairs
    for step in range(pairs):
        grpc = FIRST_PORT + 2 * ((start + step) % pairs)
        if grpc not in taken and grpc + 1 not in taken:
            return Ports(grpc, grpc + 1)
    raise ValueError(f"all ports from {FIRST_PORT} to {LAST_PORT} are taken")
