"""What Envoy has counted for each revision: requests, those that failed, and how long they took.

Requests that callers gave up are in none of Envoy's sums of answers, nor in its latencies; they are
found in what was reset or closed. Of which counters these are made: docs/explanation/router.md
and https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from model_router.resources.messages import Protocol

# Of gRPC, as far as they are the server's fault: UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED,
# UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
_FAULTS = (2, 4, 8, 12, 13, 14, 15)
_ENDED = r"upstream_rq_(completed|5xx|time|timeout|tx_reset|cancelled)"
_CLOSED = r"upstream_cx_destroy_local_with_active_rq"
_CODES = r"grpc\.[0-9]%2B"


@dataclass(frozen=True)
class Counts:
    """The requests to one revision that have ended.

    `abandoned` are those that callers gave up, and are among `errors`. `answered_within` counts the
    others by the milliseconds in which they were answered, each at the upper end of its bucket;
    Envoy counts whole milliseconds, and adds up these alone up to a second late.
    """

    requests: int = 0
    errors: int = 0
    abandoned: int = 0
    answered_within: Mapping[float, int] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.requests + other.requests,
            self.errors + other.errors,
            self.abandoned + other.abandoned,
            Counter(self.answered_within) + Counter(other.answered_within),
        )

    def since(self, before: Counts) -> Counts:
        """What has come since an earlier look. Counters that belong together are read apart."""
        answered = Counter(self.answered_within)
        answered.subtract(before.answered_within)
        requests = max(0, self.requests - before.requests)
        errors = min(requests, max(0, self.errors - before.errors))
        abandoned = min(errors, max(0, self.abandoned - before.abandoned))
        return Counts(requests, errors, abandoned, +answered)


def counts_path(model: str | None = None) -> str:
    """Where Envoy's admin interface tells the counters of a model, or of all."""
    whose = rf"{model}/[^.]%2B" if model else "[^.]%2B/[^.]%2B"
    chosen = rf"^cluster\.{whose}\.({_ENDED}|{_CLOSED}|{_CODES})$"
    return f"/stats?format=json&usedonly&histogram_buckets=detailed&filter={chosen}"


def counts_in(answer: bytes) -> dict[tuple[str, str], Counts]:
    """The counts by model and revision, over both protocols, in an answer to `counts_path`."""
    counters: dict[str, dict[str, int]] = {}
    latencies: dict[str, Mapping[float, int]] = {}
    for stat in json.loads(answer)["stats"]:
        if "histograms" in stat:
            latencies |= _latencies(stat["histograms"])
        else:
            cluster, name = _parts(stat["name"])
            counters.setdefault(cluster, {})[name] = stat["value"]
    found: dict[tuple[str, str], Counts] = {}
    for cluster, values in counters.items():
        model, revision, protocol = cluster.split("/")
        ended = _of_grpc(values) if protocol == Protocol.GRPC.value else _of_rest(values)
        whole = Counts(*ended, latencies.get(cluster, {}))
        found[model, revision] = found.get((model, revision), Counts()) + whole
    return found


def _parts(name: str) -> tuple[str, str]:
    """The cluster's name, which has no dots, and the counter's."""
    _, cluster, counter = name.split(".", 2)
    return cluster, counter


def _latencies(histograms: Mapping[str, Any]) -> dict[str, Mapping[float, int]]:
    return {
        _parts(item["name"])[0]: {_upper_end(part): part["count"] for part in item["totals"]}
        for item in histograms["details"]
    }


def _upper_end(part: Mapping[str, float]) -> float:
    """Below 10 ms Envoy's buckets are narrower than the whole milliseconds that it puts in."""
    return round(part["lower_bound"] + max(part["width"], 1), 6)


def _of_rest(values: Mapping[str, int]) -> tuple[int, int, int]:
    """A connection is closed for a caller that gives up, and for a timeout, which is answered."""
    closed = values.get("upstream_cx_destroy_local_with_active_rq", 0)
    gone = closed + values.get("upstream_rq_cancelled", 0) - values.get("upstream_rq_timeout", 0)
    abandoned = max(0, gone)
    requests = values.get("upstream_rq_completed", 0) + abandoned
    return requests, values.get("upstream_rq_5xx", 0) + abandoned, abandoned


def _of_grpc(values: Mapping[str, int]) -> tuple[int, int, int]:
    """What ends by Envoy's deadline has a code, and is reset as if its caller had given up."""
    completed = values.get("upstream_rq_completed", 0)
    reset = values.get("upstream_rq_tx_reset", 0) + values.get("upstream_rq_cancelled", 0)
    coded = sum(count for name, count in values.items() if name.startswith("grpc."))
    late = min(reset, max(0, coded - completed))
    abandoned = reset - late
    faults = sum(values.get(f"grpc.{code}", 0) for code in _FAULTS)
    # Envoy's own answers are in both; one without a code of gRPC is no answer to a call.
    failed = max(faults, values.get("upstream_rq_5xx", 0))
    return completed + reset, failed + abandoned, abandoned
