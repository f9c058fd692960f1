"""The metrics of a server: those of its requests, and all others by what they are about."""

from collections.abc import Collection
from contextlib import AbstractContextManager

from model_server.core.errors import Code
from model_server.core.manager import Manager
from model_server.servables.platform import Servable
from model_server.service.metrics.batching import BatchingMetrics
from model_server.service.metrics.kinds import (
    LATENCIES,
    OTHER,
    Counter,
    Family,
    Gauge,
    Histogram,
    exponential,
    microseconds_since,
)
from model_server.service.metrics.loading import LoadingMetrics
from model_server.service.metrics.outcome import outcome

_RUNTIME = "TF1"


class ServingMetrics:
    """All metrics of one server; recording is thread-safe and quick.

    Requests for models that are not configured count under one name, ``(other)``: clients may ask
    for any, and must not choose how many time series there are.
    """

    def __init__(self, manager: Manager[Servable]) -> None:
        self._models: Collection[str] = ()
        self.batching = BatchingMetrics()
        self.loading = LoadingMetrics(manager)
        self._requests = Counter("/tensorflow/serving/request_count", "model_name", "status")
        self._latency = Histogram(
            "/tensorflow/serving/request_latency", LATENCIES, "model_name", "API", "entrypoint"
        )
        self._runtime = Histogram(
            "/tensorflow/serving/runtime_latency", LATENCIES, "model_name", "API", "runtime"
        )
        self._examples = Histogram(
            "/tensorflow/serving/request_example_counts", exponential(1, 2, 15), "model"
        )
        self._example_total = Counter("/tensorflow/serving/request_example_count_total", "model")
        self._graph_runs = Counter("/tensorflow/core/graph_runs")
        self._graph_time = Counter("/tensorflow/core/graph_run_time_usecs")
        self._graph_times = Histogram(
            "/tensorflow/core/graph_run_time_usecs_histogram", exponential(1000, 2, 20)
        )
        self._request_logs = Counter(
            "/tensorflow/serving/request_log_count", "model_name", "status_code"
        )
        self._refused = Counter("/modelfleet/serving/refused_request_count", "entrypoint")
        self._in_flight = Gauge("/modelfleet/serving/in_flight_requests", "entrypoint")
        self._signatures = Histogram(
            "/modelfleet/serving/signature_runtime_latency", LATENCIES, "model_name", "signature"
        )
        self._signature_runs = Counter(
            "/modelfleet/serving/signature_run_count", "model_name", "signature", "status"
        )

    def collect(self) -> list[Family]:
        """All metrics now."""
        own = [
            metric.collect()
            for metric in (
                self._requests,
                self._latency,
                self._runtime,
                self._examples,
                self._example_total,
                self._graph_runs,
                self._graph_time,
                self._graph_times,
                self._request_logs,
                self._refused,
                self._in_flight,
                self._signatures,
                self._signature_runs,
            )
        ]
        return own + self.loading.collect() + self.batching.collect()

    def serve(self, models: Collection[str]) -> None:
        """Names these models from now on."""
        self._models = models

    def request(self, model: str, api: str, entrypoint: str) -> AbstractContextManager[None]:
        """Records one request from its beginning to its end, however it ends."""
        if model not in self._models:
            model = OTHER
        at_hand = (entrypoint,)
        self._in_flight.add(at_hand, 1)

        def ended(code: Code, began: float) -> None:
            self._in_flight.add(at_hand, -1)
            self._requests.add((model, code.name))
            if code is Code.OK:
                self._latency.add((model, api, entrypoint), microseconds_since(began))

        return outcome(ended)

    def run(self, model: str, signature: str, api: str) -> AbstractContextManager[None]:
        """Records how a run of a servable ended, and how long it took if it ended well."""

        def ended(code: Code, began: float) -> None:
            self._signature_runs.add((model, signature, code.name))
            if code is not Code.OK:
                return
            took = microseconds_since(began)
            self._runtime.add((model, api, _RUNTIME), took)
            self._signatures.add((model, signature), took)
            self._graph_runs.add(())
            self._graph_time.add((), int(took))
            self._graph_times.add((), took)

        return outcome(ended)

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


def first_points(families: list[Family]) -> dict[str, int]:
    """For each metric the number at its first point, which is all that a reload compares."""
    values = {}
    for family in families:
        first = next(iter(family.points.values()), 0)
        if isinstance(first, int | float):
            values[family.name] = int(first)
    return values
