"""Counters, gauges and histograms, named and bucketed as TensorFlow's monitoring does it."""

import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
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


class Counter:
    """Counts up."""

    kind = Kind.COUNTER

    def __init__(self, name: str, *label_names: str) -> None:
        self.name = name
        self.label_names = label_names
        self._values: dict[Labels, int] = {}
        self._lock = threading.Lock()

    def add(self, labels: Labels, amount: int = 1) -> None:
        """Counts, for these label values."""
        with self._lock:
            try:
                self._values[labels] += amount
            except KeyError:
                labels = _bounded(labels, self._values)
                self._values[labels] = self._values.get(labels, 0) + amount

    def collect(self) -> Family:
        """What was counted until now."""
        with self._lock:
            return Family(self.name, self.kind, self.label_names, dict(self._values))


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


class Histogram:
    """Sorts samples into buckets that do not include their upper bound, as TensorFlow's."""

    def __init__(self, name: str, bounds: Iterable[float], *label_names: str) -> None:
        self.name = name
        self._label_names = label_names
        self._bounds = tuple(bounds)
        self._cells: dict[Labels, tuple[list[int], list[float]]] = {}
        self._lock = threading.Lock()

    def add(self, labels: Labels, sample: float) -> None:
        """Counts one sample, for these label values."""
        index = bisect_right(self._bounds, sample)
        with self._lock:
            cell = self._cells.get(labels)
            if cell is None:
                labels = _bounded(labels, self._cells)
                cell = self._cells.setdefault(labels, ([0] * (len(self._bounds) + 1), [0.0]))
            cell[0][index] += 1
            cell[1][0] += sample

    def collect(self) -> Family:
        """What was sorted until now."""
        with self._lock:
            points = {
                labels: Distribution(self._bounds, tuple(counts), total[0])
                for labels, (counts, total) in self._cells.items()
            }
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
