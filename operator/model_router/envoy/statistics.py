"""Which of its many statistics Envoy keeps: those that somebody reads; pure.

All of them would be 700 lines and a third of Envoy's memory for each model. The meaning of each:
https://www.envoyproxy.io/docs/envoy/latest/configuration/upstream/cluster_manager/cluster_stats
"""

from __future__ import annotations

from typing import Any

_OF_REVISIONS = (
    r"membership_(healthy|total)",
    r"outlier_detection\.ejections_(active|enforced_total)",
    r"retry_or_shadow_abandoned",
    r"upstream_cx_(active|total|connect_fail|connect_timeout|none_healthy|overflow)",
    # Requests whose clients gave up are seen in these two only.
    r"upstream_cx_destroy_local_with_active_rq",
    r"upstream_rq_(cancelled|tx_reset)",
    r"upstream_rq_(active|completed|total|[1-5]xx|time|timeout|rx_reset|max_duration_reached)",
    r"upstream_rq_(retry|retry_success|retry_overflow|pending_active)",
    r"upstream_rq_(pending_overflow|active_overflow)",
    r"grpc\.([0-9]+|success|failure|total)",
)
_OF_MODELS = (
    r"downstream_cx_(active|total)",
    r"downstream_rq_(active|total|[1-5]xx|overload_close)",
)
_OF_ENVOY = r"^(server|listener_manager|cluster_manager|control_plane|overload)\."
# In milliseconds: predictions take from less than one to a minute.
_BUCKETS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700)
_LARGE_BUCKETS = (1000, 1500, 2000, 3000, 5000, 7000, 10_000, 20_000, 30_000, 60_000)


def stats_config() -> dict[str, Any]:
    """Envoy's StatsConfig."""
    patterns = (
        rf"^cluster\.[^.]+\.({'|'.join(_OF_REVISIONS)})$",
        rf"^http\.[^.]+\.({'|'.join(_OF_MODELS)})$",
        rf"{_OF_ENVOY}.*",
    )
    kept = [{"safe_regex": {"regex": pattern}} for pattern in patterns]
    return {
        "stats_matcher": {"inclusion_list": {"patterns": kept}},
        "histogram_bucket_settings": [
            {"match": {"suffix": "upstream_rq_time"}, "buckets": [*_BUCKETS, *_LARGE_BUCKETS]}
        ],
    }
