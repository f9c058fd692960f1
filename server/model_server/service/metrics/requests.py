"""What is counted of each request and of each run, found once for all that have the same labels."""

import time
from collections import deque
from collections.abc import Callable, Mapping

from model_server.core.errors import Code
from model_server.service.metrics.kinds import (
    LATENCIES,
    Cell,
    ComputedGauge,
    Counter,
    Family,
    Histogram,
    Labels,
    changing,
    exponential,
)

_RUNTIME = "TF1"


class RequestMetrics:
    """The requests of all models; ``of`` gives what those of one have in common."""

    def __init__(self) -> None:
        self._counts = Counter("/tensorflow/serving/request_count", "model_name", "status")
        self._latencies = Histogram(
            "/tensorflow/serving/request_latency", LATENCIES, "model_name", "API", "entrypoint"
        )
        # A deque counts without a lock: its append and pop are atomic, and `+= 1` is not.
        self._at_hand: dict[Labels, deque[None]] = {}
        self._in_flight = ComputedGauge(
            "/modelfleet/serving/in_flight_requests", self._counted_at_hand, "entrypoint"
        )

    def of(self, model: str, api: str, entrypoint: str) -> "Requests":
        """The requests with these labels; to be kept."""
        return Requests(
            self._at_hand.setdefault((entrypoint,), deque()),
            lambda code: self._counts.cell((model, code.name)),
            self._latencies,
            (model, api, entrypoint),
        )

    def _counted_at_hand(self) -> Mapping[Labels, float]:
        return {labels: len(at_hand) for labels, at_hand in self._at_hand.copy().items()}

    def collect(self) -> list[Family]:
        """All of them now."""
        return [
            self._counts.collect(),
            self._latencies.collect(),
            self._in_flight.collect(),
        ]


class Requests:
    """The requests of one model, API and entrypoint; thread-safe."""

    __slots__ = ("_at_hand", "_cells", "_labels", "_latencies", "_of", "_well")

    def __init__(
        self,
        at_hand: deque[None],
        of: Callable[[Code], Cell],
        latencies: Histogram,
        labels: Labels,
    ) -> None:
        self._at_hand = at_hand
        self._of = of
        self._latencies = latencies
        self._labels = labels
        self._well: tuple[Cell, Callable[[float], None]] | None = None

    def begin(self) -> float:
        """One begins; what ``end`` is to be given."""
        self._at_hand.append(None)
        return time.perf_counter()

    def end(self, code: Code, began: float) -> None:
        """One ended so."""
        self._at_hand.pop()
        if code is not Code.OK:
            cell = self._of(code)
            with changing:
                cell.value += 1
            return
        took = (time.perf_counter() - began) * 1e6
        if self._well is None:
            # Only now, because label sets that nothing was counted for are not shown.
            self._well = self._of(code), self._latencies.cell(self._labels).put
        count, put = self._well
        with changing:
            count.value += 1
            put(took)


class RunMetrics:
    """The runs of all servables; ``of`` gives what those of one signature have in common."""

    def __init__(self) -> None:
        self._runtimes = Histogram(
            "/tensorflow/serving/runtime_latency", LATENCIES, "model_name", "API", "runtime"
        )
        self._graph_runs = Counter("/tensorflow/core/graph_runs")
        self._graph_time = Counter("/tensorflow/core/graph_run_time_usecs")
        self._graph_times = Histogram(
            "/tensorflow/core/graph_run_time_usecs_histogram", exponential(1000, 2, 20)
        )
        self._signatures = Histogram(
            "/modelfleet/serving/signature_runtime_latency", LATENCIES, "model_name", "signature"
        )
        self._counts = Counter(
            "/modelfleet/serving/signature_run_count", "model_name", "signature", "status"
        )

    def of(self, model: str, signature: str, api: str) -> "Runs":
        """The runs with these labels; to be kept."""
        return Runs(
            lambda code: self._counts.cell((model, signature, code.name)),
            lambda: (
                (self._graph_runs.cell(()), self._graph_time.cell(())),
                (
                    self._runtimes.cell((model, api, _RUNTIME)).put,
                    self._signatures.cell((model, signature)).put,
                    self._graph_times.cell(()).put,
                ),
            ),
        )

    def collect(self) -> list[Family]:
        """All of them now."""
        return [
            metric.collect()
            for metric in (
                self._runtimes,
                self._graph_runs,
                self._graph_time,
                self._graph_times,
                self._signatures,
                self._counts,
            )
        ]


_Puts = tuple[Callable[[float], None], ...]


class Runs:
    """The runs of one signature for one API; thread-safe."""

    __slots__ = ("_of", "_well", "_when_well")

    def __init__(
        self, of: Callable[[Code], Cell], when_well: Callable[[], tuple[tuple[Cell, Cell], _Puts]]
    ) -> None:
        self._of = of
        self._when_well = when_well
        self._well: tuple[Cell, tuple[Cell, Cell], _Puts] | None = None

    def end(self, code: Code, began: float) -> None:
        """One that began then, by ``time.perf_counter``, ended so."""
        took = (time.perf_counter() - began) * 1e6
        if code is not Code.OK:
            cell = self._of(code)
            with changing:
                cell.value += 1
            return
        if self._well is None:
            self._well = self._of(code), *self._when_well()
        count, (runs, times), puts = self._well
        with changing:
            count.value += 1
            runs.value += 1
            times.value += int(took)
            for put in puts:
                put(took)
