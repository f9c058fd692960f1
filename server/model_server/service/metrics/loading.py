"""The metrics of versions that are loaded, and of their warm-up."""

import os
import time
from collections import Counter as Count
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from model_server.core.errors import Code
from model_server.core.manager import Manager
from model_server.core.servable import ServableId
from model_server.servables.platform import Servable
from model_server.service.metrics.kinds import (
    LATENCIES,
    ComputedGauge,
    Counter,
    Family,
    Gauge,
    Histogram,
    Labels,
    microseconds_since,
)
from model_server.service.metrics.outcome import outcome

# Where a version says what it is called in ML Metadata.
_MLMD = os.path.join("assets.extra", "mlmd_uuid")


class LoadingMetrics:
    """Counts tries to load and replays; thread-safe."""

    def __init__(self, manager: Manager[Servable]) -> None:
        self._loads = Counter(
            "/tensorflow/cc/saved_model/load_attempt_count", "model_path", "status"
        )
        self._latency = Counter("/tensorflow/cc/saved_model/load_latency", "model_path")
        self._warm_ups = Histogram(
            "/tensorflow/serving/model_warmup_latency", LATENCIES, "model_path", "status"
        )
        self._records = Counter(
            "/tensorflow/serving/model_warmup_records_read", "model_path", "status"
        )
        self._mlmd = Gauge("/tensorflow/serving/mlmd_map", "model_name", "version")
        self._loaded = ComputedGauge(
            "/modelfleet/serving/loaded_versions", lambda: _loaded(manager), "model_name"
        )

    def collect(self) -> list[Family]:
        """All of them now."""
        return [
            metric.collect()
            for metric in (
                self._loads,
                self._latency,
                self._warm_ups,
                self._records,
                self._mlmd,
                self._loaded,
            )
        ]

    @contextmanager
    def load(self, id: ServableId, path: str) -> Iterator[None]:
        """Records one try to load a version folder."""
        began = time.perf_counter()
        status = "fail"
        try:
            yield
            status = "success"
        finally:
            self._loads.add((path, status))
        self._latency.add((path,), int(microseconds_since(began)))
        if os.path.exists(os.path.join(path, _MLMD)):
            # Upstream exports the text that its gauge holds as 0.
            self._mlmd.add((id.name, str(id.version)), 0)

    def warm_up(self, path: str) -> AbstractContextManager[None]:
        """Records the warm-up of one version folder."""

        def ended(code: Code, began: float) -> None:
            self._warm_ups.add((path, code.name), microseconds_since(began))

        return outcome(ended)

    def warm_up_record(self, path: str) -> None:
        """Records that one record of a version's warm-up was replayed."""
        self._records.add((path, Code.OK.name))


def _loaded(manager: Manager[Servable]) -> Mapping[Labels, float]:
    return {(name,): count for name, count in Count(id.name for id in manager.available()).items()}
