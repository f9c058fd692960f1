"""What is counted of each request and of each run, found once for all that have the same labels."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from model_server.core.errors import Code
from model_server.service.metrics.kinds import (
    LATENCIES,
    Cell,
    Counter,
    Family,
    Histogram,
    Kind,
    Labels,
    Samples,
    changing,
    exponential,
)

_RUNTIME = "TF1"
_IN_FLIGHT = "/modelfleet/serving/in_flight_requests"
GRAPH_TIMES = exponential(1000, 2, 20)


class RequestMetrics:
    """The requests of all models; ``of`` gives what those of one have in common."""

    def __init__(self) -> None:
        self._counts = Counter("/tensorflow/serving/request_count", "model_name", "status")
        self._latencies = Histogram(
            "/tensorflow/serving/request_latency", LATENCIES, "model_name", "API", "entrypoint"
        )
        # A deque counts without a lock: its append and pop are atomic, and `+= 1` is not.
        self._at_hand: dict[Labels, deque[None]] = {}

    def of(self, model: str, api: str, entrypoint: str) -> "Requests":
        """The requests with these labels; to be kept."""
        return Requests(
            self._at_hand.setdefault((entrypoint,), deque()),
            lambda code: self._counts.cell((model, code.name)),
            self._latencies,
            (model, api, entrypoint),
        )

    def collect(self, elsewhere: Mapping[str, int]) -> list[Family]:
        """All of them now, with those that are at hand ``elsewhere``, by entrypoint."""
        at_hand = self._at_hand.copy().items()
        points: dict[Labels, float] = {
            (entrypoint,): len(here) + elsewhere.get(entrypoint, 0)
            for (entrypoint,), here in at_hand
        }
        in_flight = Family(_IN_FLIGHT, Kind.GAUGE, ("entrypoint",), points)
        return [self._counts.collect(), self._latencies.collect(), in_flight]


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
        self._well: tuple[Cell, Samples] | None = None

    @contextmanager
    def at_hand(self) -> Iterator[None]:
        """One is at hand until the end of the block; how it ends is counted elsewhere."""
        self._at_hand.append(None)
        try:
            yield
        finally:
            self._at_hand.pop()

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
        count, latencies = self._well or self._found_well()
        with changing:
            count.value += 1
            latencies.put(took)

    def _found_well(self) -> tuple[Cell, Samples]:
        # Only now, because label sets that nothing was counted for are not shown.
        self._well = self._of(Code.OK), self._latencies.cell(self._labels)
        return self._well

    def add(self, counts: Sequence[int], total: float) -> None:
        """Those that ended well elsewhere: how many in each bucket of latencies, and their sum."""
        count, latencies = self._well or self._found_well()
        with changing:
            count.value += sum(counts)
            latencies.add(counts, total)


class RunMetrics:
    """The runs of all servables; ``of`` gives what those of one signature have in common."""

    def __init__(self) -> None:
        self._runtimes = Histogram(
            "/tensorflow/serving/runtime_latency", LATENCIES, "model_name", "API", "runtime"
        )
        self._graph_runs = Counter("/tensorflow/core/graph_runs")
        self._graph_time = Counter("/tensorflow/core/graph_run_time_usecs")
        self._graph_times = Histogram(
            "/tensorflow/core/graph_run_time_usecs_histogram", GRAPH_TIMES
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
                    self._runtimes.cell((model, api, _RUNTIME)),
                    self._signatures.cell((model, signature)),
                    self._graph_times.cell(()),
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


_Times = tuple[Samples, Samples, Samples]
_Well = tuple[Cell, tuple[Cell, Cell], _Times]
# How many samples fell into each bucket, and their sum.
Sorted = tuple[Sequence[int], float]


class Runs:
    """The runs of one signature for one API; thread-safe."""

    __slots__ = ("_of", "_well", "_when_well")

    def __init__(
        self, of: Callable[[Code], Cell], when_well: Callable[[], tuple[tuple[Cell, Cell], _Times]]
    ) -> None:
        self._of = of
        self._when_well = when_well
        self._well: _Well | None = None

    def end(self, code: Code, began: float) -> None:
        """One that began then, by ``time.perf_counter``, ended so."""
        took = (time.perf_counter() - began) * 1e6
        if code is not Code.OK:
            cell = self._of(code)
            with changing:
                cell.value += 1
            return
        count, (runs, times), latencies = self._well or self._found_well()
        with changing:
            count.value += 1
            runs.value += 1
            times.value += int(took)
            for each in latencies:
                each.put(took)

    def _found_well(self) -> _Well:
        self._well = self._of(Code.OK), *self._when_well()
        return self._well

    def add(self, ran: Sorted, graph_ran: Sorted) -> None:
        """Those that ended well elsewhere, by their latencies and by the graph's run times."""
        count, (runs, times), latencies = self._well or self._found_well()
        with changing:
            number = sum(ran[0])
            count.value += number
            runs.value += number
            times.value += int(ran[1])
            for each, sorted_ in zip(latencies, (ran, ran, graph_ran), strict=True):
                each.add(*sorted_)
