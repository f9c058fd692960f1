"""The metrics of a server: TensorFlow Serving's by their names, and what it has not."""

import os
import time
from collections import Counter as Count
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from model_server.core.errors import Code, ServingError
from model_server.core.manager import Manager
from model_server.core.servable import ServableId
from model_server.servables.platform import Servable
from model_server.service.batching_metrics import BatchingMetrics
from model_server.service.metrics import (
    ComputedGauge,
    Counter,
    Family,
    Gauge,
    Histogram,
    Labels,
    exponential,
)

_OTHER = "(other)"

# Microseconds: from 10 up to some twenty minutes.
_LATENCIES = exponential(10, 1.8, 33)
_RUNTIME = "TF1"
# Where a version says what it is called in ML Metadata.
_MLMD = os.path.join("assets.extra", "mlmd_uuid")


class ServingMetrics:
    """All metrics of one server; recording is thread-safe and quick.

    Requests for models that are not configured count under one name, ``(other)``: clients may ask
    for any, and must not choose how many time series there are.
    """

    def __init__(self, manager: Manager[Servable]) -> None:
        self._models: Collection[str] = ()
        self.batching = BatchingMetrics()
        self._requests = Counter("/tensorflow/serving/request_count", "model_name", "status")
        self._latency = Histogram(
            "/tensorflow/serving/request_latency", _LATENCIES, "model_name", "API", "entrypoint"
        )
        self._runtime = Histogram(
            "/tensorflow/serving/runtime_latency", _LATENCIES, "model_name", "API", "runtime"
        )
        self._examples = Histogram(
            "/tensorflow/serving/request_example_counts", exponential(1, 2, 15), "model"
        )
        self._example_total = Counter("/tensorflow/serving/request_example_count_total", "model")
        self._loads = Counter(
            "/tensorflow/cc/saved_model/load_attempt_count", "model_path", "status"
        )
        self._load_latency = Counter("/tensorflow/cc/saved_model/load_latency", "model_path")
        self._warm_ups = Histogram(
            "/tensorflow/serving/model_warmup_latency", _LATENCIES, "model_path", "status"
        )
        self._warm_up_records = Counter(
            "/tensorflow/serving/model_warmup_records_read", "model_path", "status"
        )
        self._graph_runs = Counter("/tensorflow/core/graph_runs")
        self._graph_time = Counter("/tensorflow/core/graph_run_time_usecs")
        self._graph_times = Histogram(
            "/tensorflow/core/graph_run_time_usecs_histogram", exponential(1000, 2, 20)
        )
        self._request_logs = Counter(
            "/tensorflow/serving/request_log_count", "model_name", "status_code"
        )
        self._mlmd = Gauge("/tensorflow/serving/mlmd_map", "model_name", "version")
        self._refused = Counter("/modelfleet/serving/refused_request_count", "entrypoint")
        self._in_flight = Gauge("/modelfleet/serving/in_flight_requests", "entrypoint")
        self._signatures = Histogram(
            "/modelfleet/serving/signature_runtime_latency", _LATENCIES, "model_name", "signature"
        )
        self._signature_runs = Counter(
            "/modelfleet/serving/signature_run_count", "model_name", "signature", "status"
        )
        self._loaded = ComputedGauge(
            "/modelfleet/serving/loaded_versions", lambda: _loaded(manager), "model_name"
        )

    def collect(self) -> list[Family]:
        """All metrics now."""
        return [
            metric.collect()
            for metric in (
                self._requests,
                self._latency,
                self._runtime,
                self._examples,
                self._example_total,
                self._loads,
                self._load_latency,
                self._warm_ups,
                self._warm_up_records,
                self._graph_runs,
                self._graph_time,
                self._graph_times,
                self._request_logs,
                self._mlmd,
                self._refused,
                self._in_flight,
                self._signatures,
                self._signature_runs,
                self._loaded,
            )
        ] + self.batching.collect()

    def serve(self, models: Collection[str]) -> None:
        """Names these models from now on."""
        self._models = models

    @contextmanager
    def request(self, model: str, api: str, entrypoint: str) -> Iterator[None]:
        """Records one request from its beginning to its end, however it ends."""
        if model not in self._models:
            model = _OTHER
        self._in_flight.add((entrypoint,), 1)
        began = time.perf_counter()
        code = Code.INTERNAL
        try:
            yield
            code = Code.OK
            self._latency.add((model, api, entrypoint), _microseconds_since(began))
        except ServingError as error:
            code = error.code
            raise
        finally:
            self._in_flight.add((entrypoint,), -1)
            self._requests.add((model, code.name))

    @contextmanager
    def run(self, model: str, signature: str, api: str) -> Iterator[None]:
        """Records how a run of a servable ended, and how long it took if it ended well."""
        began = time.perf_counter()
        code = Code.INTERNAL
        try:
            yield
            code = Code.OK
        except ServingError as error:
            code = error.code
            raise
        finally:
            self._signature_runs.add((model, signature, code.name))
        took = _microseconds_since(began)
        self._runtime.add((model, api, _RUNTIME), took)
        self._signatures.add((model, signature), took)
        self._graph_runs.add(())
        self._graph_time.add((), int(took))
        self._graph_times.add((), took)

    def refused(self, entrypoint: str) -> None:
        """Records that a request was refused because there were too many at hand."""
        self._refused.add((entrypoint,))

    def request_log(self, model: str, code: Code) -> None:
        """Records what became of one request that was to be logged."""
        self._request_logs.add((model, code.name))

    def examples(self, model: str, count: int) -> None:
        """Records how many Examples a request had."""
        self._examples.add((model,), count)
        self._example_total.add((model,), count)

    @contextmanager
    def load(self, id: ServableId, path: str) -> Iterator[None]:
        """Records one try to load a version folder."""
        began = time.perf_counter()
        status = "fail"
        try:
            yield
            status = "success"
            self._load_latency.add((path,), int(_microseconds_since(began)))
            if os.path.exists(os.path.join(path, _MLMD)):
                # Upstream exports the text that its gauge holds as 0.
                self._mlmd.add((id.name, str(id.version)), 0)
        finally:
            self._loads.add((path, status))

    @contextmanager
    def warm_up(self, path: str) -> Iterator[None]:
        """Records the warm-up of one version folder."""
        began = time.perf_counter()
        code = Code.INTERNAL
        try:
            yield
            code = Code.OK
        except ServingError as error:
            code = error.code
            raise
        finally:
            self._warm_ups.add((path, code.name), _microseconds_since(began))

    def warm_up_record(self, path: str) -> None:
        """Records that one record of a version's warm-up was replayed."""
        self._warm_up_records.add((path, Code.OK.name))


def first_points(families: list[Family]) -> dict[str, int]:
    """For each metric the number at its first point, which is all that a reload compares."""
    values = {}
    for family in families:
        first = next(iter(family.points.values()), 0)
        if isinstance(first, int | float):
            values[family.name] = int(first)
    return values


def _microseconds_since(began: float) -> float:
    return (time.perf_counter() - began) * 1e6


def _loaded(manager: Manager[Servable]) -> Mapping[Labels, float]:
    return {(name,): count for name, count in Count(id.name for id in manager.available()).items()}
