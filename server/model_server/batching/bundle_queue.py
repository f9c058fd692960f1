"""The bundles of one signature that wait: a pure decision, given the time."""

import math

from model_server.batching.bundle import Bundle
from model_server.batching.queue import Batch, Run, too_many
from model_server.batching.side_by_side import NOTHING_RUNS, Running
from model_server.options.batching import Batching


class BundleQueue:
    """Bundles in the order in which they came; not thread-safe.

    The rules are those of a BatchQueue without a timeout.
    """

    def __init__(self, rules: Batching, run: Run) -> None:
        self._rules = rules
        self._run = run
        self._bundles: list[tuple[Bundle, float]] = []

    def __len__(self) -> int:
        return len(self._bundles)

    def offer(self, bundle: Bundle, now: float) -> None:
        """Has it wait. Raises ServingError, UNAVAILABLE, if too many do."""
        of_kind = sum(each.kind == bundle.kind for each, _ in self._bundles)
        if of_kind >= self._rules.max_enqueued:
            raise too_many(of_kind, self._rules)
        self._bundles.append((bundle, now))

    def take(self, now: float, running: Running = NOTHING_RUNS) -> Batch | None:
        """The first batch that is ready, if there is one."""
        for place in list(self._bundles):
            bundle, _ = place
            if self._ready_at(place, running) > now:
                continue
            most = running.rows_to_take(bundle.kind, bundle.rows, self._rules)
            taken, is_last = bundle.take(most)
            if is_last:
                self._bundles.remove(place)
            else:
                # Others join it, so that it could keep those of other kinds waiting for ever.
                self._bundles.sort(key=lambda each: each[0].kind == bundle.kind)
            if taken.rows:
                return Batch((), self._rules, self._run, bundle.kind, taken=taken)
        return None

    def ready_at(self, running: Running = NOTHING_RUNS) -> float | None:
        """See BatchQueue."""
        times = [self._ready_at(place, running) for place in self._bundles]
        return min((time for time in times if time < math.inf), default=None)

    def _ready_at(self, place: tuple[Bundle, float], running: Running) -> float:
        bundle, since = place
        wait = running.wait(bundle.kind, bundle.rows, self._rules)
        return since if bundle.has(wait.rows) else wait.until

    def waiting(self) -> list[Bundle]:
        """All bundles, in order."""
        return [bundle for bundle, _ in self._bundles]
