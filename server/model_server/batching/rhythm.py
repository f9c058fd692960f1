"""When those who were answered ask again, and whether it pays to wait for them; learned from runs.

A run costs something beside its rows: weights are read, operations started. Where clients ask
again as soon as they are answered, and that takes less than this, a batch that waits for them saves
a run: all wait a little, and none for two runs. Not thread-safe; times are seconds of one clock.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

# How much one more run, or one more return, tells beside all those before.
_NEW = 1 / 8
# Some of those who were answered do not come again, and some come late.
_MOST = 0.8
# Returns are waited for by so much longer than they took of late.
_SPARE = 1.5
# Seconds. A run that is over sooner is no work for a second thread, which would have to be woken.
_SHORT = 0.0003
# Runs so many of whose sizes differ by less tell nothing of what a row costs.
_ALIKE = 0.05


@dataclass(frozen=True)
class Ended:
    """A run that is over: when, how long it took, of how many requests and rows.

    ``waiting`` are the rows that waited for its end.
    """

    at: float
    seconds: float
    requests: int
    rows: int
    waiting: int = 0


class _Means(NamedTuple):
    """Of the rows of runs, of their seconds, and of the products that a line through both needs."""

    rows: float
    seconds: float
    squares: float
    products: float


class Rhythm:
    """The runs of one kind of requests, and the returns of those who were answered."""

    def __init__(self) -> None:
        self._ends: deque[Ended] = deque(maxlen=8)
        self._begun = -math.inf
        self._returns = math.inf
        self._means: _Means | None = None
        self._beside_rows = 0.0

    def ended(self, run: Ended) -> None:
        """A run is over."""
        self._ends.append(run)
        seen = _Means(run.rows, run.seconds, run.rows**2, run.rows * run.seconds)
        self._means = seen if self._means is None else _Means(*map(_nearer, self._means, seen))
        rows, seconds, squares, products = self._means
        spread = squares - rows**2
        if spread > (_ALIKE * rows) ** 2:
            of_a_row = max((products - rows * seconds) / spread, 0.0)
            self._beside_rows = max(seconds - of_a_row * rows, 0.0)

    def begun(self, now: float, waited: Sequence[float]) -> None:
        """A run begins, of requests that waited so long, the longest first."""
        self._begun = now
        first = now - waited[0]
        answered = next((run for run in reversed(self._ends) if run.at <= first), None)
        if answered is None or not answered.requests:
            return
        returned = min(len(waited), answered.requests)
        took = now - waited[math.ceil(_MOST * returned) - 1] - answered.at
        # Where fewer came, all would have taken longer.
        took *= answered.requests / returned
        self._returns = took if self._returns == math.inf else _nearer(self._returns, took)

    @property
    def pays(self) -> bool:
        """Whether a batch that waits for those who were answered saves more than that takes."""
        return self._returns * _SPARE < self._beside_rows

    @property
    def is_short(self) -> bool:
        """Whether runs are over before another thread would have begun with a part of them."""
        return self._means is not None and self._means.seconds < _SHORT

    @property
    def over(self) -> float:
        """When what was begun last should be over for long: others are not to wait for it then."""
        return self._begun + 2 * self._means.seconds if self._means else -math.inf

    @property
    def until(self) -> float:
        """When those that were answered last are to be there again."""
        return self._ends[-1].at + _SPARE * self._returns if self._ends else -math.inf

    @property
    def rows(self) -> int:
        """How many rows there are then."""
        return self._ends[-1].rows + self._ends[-1].waiting if self._ends else 0


def _nearer(known: float, new: float) -> float:
    return known + _NEW * (new - known)
