"""Counters, gauges and histograms, named and bucketed as TensorFlow's monitoring does it."""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Labels = tuple[str, ...]

# Clients choose the names they ask for; they must not choose how many label sets there are.
_MOST_LABEL_SETS = 10_000
OTHER = "(other)"


class Kind(StrEnum):
    """Prometheus' words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True)
class Distribution:
    """A histogram's content: how many samples fell below each bound, above all, and their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True)
class Family:
    """One metric at one moment: its points by label values."""

    name: str
    kind: Kind
    label_names: Labels
    points: Mapping[Labels, float | Distribution]


# Held for each change of any metric. One for all, so that what is counted together takes it once:
# it is never held for long, and Python's threads run one at a time anyway.
changing = threading.Lock()


class Cell:
    """What was counted for one set of label values; to be changed while ``changing`` is held."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Counter:
    """Counts up."""

    kind = Kind.COUNTER

    def __init__(self, name: str, *label_names: str) -> None:
        self.name = name
        self.label_names = label_names
        self._cells: dict[Labels, Cell] = {}

    def cell(self, labels: Labels) -> Cell:
        """The cell of these label values, to be kept by who counts for them again and again."""
        with changing:
            return self._cell(labels)

    def _cell(self, labels: Labels) -> Cell:
        return self._cells.get(labels) or self._cells.setdefault(
            _bounded(labels, self._cells), Cell()
        )

    def add(self, labels: Labels, amount: int = 1) -> None:
        """Counts, for these label values."""
        with changing:
            self._cell(labels).value += amount

    def collect(self) -> Family:
        """What was counted until now."""
        with changing:
            points = {labels: cell.value for labels, cell in self._cells.items()}
        return Family(self.name, self.kind, self.label_names, points)


class Gauge(Counter):
    """Goes up and down."""

    kind = Kind.GAUGE


class ComputedGauge:
    """A gauge whose points are found out when somebody looks."""

    def __init__(
        self, name: str, compute: Callable[[], Mapping[Labels, float]], *label_names: str
    ) -> None:
        self.name = name
        self._compute = compute
        self._label_names = label_names

    def collect(self) -> Family:
        """The points now."""
        return Family(self.name, Kind.GAUGE, self._label_names, dict(self._compute()))


class Samples:
    """The samples of one set of label values; to be changed while ``changing`` is held."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def put(self, sample: float) -> None:
        """Counts one sample."""
        self._counts[bisect_right(self._bounds, sample)] += 1
        self._total += sample

    def put_all(self, samples: Iterable[float]) -> None:
        """Counts several, in less time than one by one."""
        for sample in samples:
            self._counts[bisect_right(self._bounds, sample)] += 1
            self._total += sample

    def add(self, counts: Sequence[int], total: float) -> None:
        """Counts samples that were sorted elsewhere, by the same bounds."""
        for bucket, count in enumerate(counts):
            self._counts[bucket] += count
        self._total += total

    def distribution(self) -> Distribution:
        """What was put until now."""
        return Distribution(self._bounds, tuple(self._counts), self._total)


class Histogram:
    """Sorts samples into buckets that do not include their upper bound, as TensorFlow's."""

    def __init__(self, name: str, bounds: Iterable[float], *label_names: str) -> None:
        self.name = name
        self._label_names = label_names
        self._bounds = tuple(bounds)
        self._cells: dict[Labels, Samples] = {}

    def cell(self, labels: Labels) -> Samples:
        """The samples of these label values, to be kept by who has more of them."""
        with changing:
            return self._cell(labels)

    def _cell(self, labels: Labels) -> Samples:
        return self._cells.get(labels) or self._cells.setdefault(
            _bounded(labels, self._cells), Samples(self._bounds)
        )

    def add(self, labels: Labels, sample: float) -> None:
        """Counts one sample, for these label values."""
        with changing:
            self._cell(labels).put(sample)

    def collect(self) -> Family:
        """What was sorted until now."""
        with changing:
            points = {labels: cell.distribution() for labels, cell in self._cells.items()}
        return Family(self.name, Kind.HISTOGRAM, self._label_names, points)


def exponential(scale: float, growth: float, count: int) -> tuple[float, ...]:
    """Bounds that grow by a factor, as TensorFlow's ``Buckets::Exponential``."""
    return tuple(scale * growth**power for power in range(count))


# Microseconds: from 10 up to some twenty minutes.
LATENCIES = exponential(10, 1.8, 33)


def microseconds_since(began: float) -> float:
    """The time since a moment of ``time.perf_counter``."""
    return (time.perf_counter() - began) * 1e6


def _bounded(labels: Labels, known: Mapping[Labels, object]) -> Labels:
    if labels in known or len(known) < _MOST_LABEL_SETS:
        return labels
    return (OTHER,) * len(labels)
