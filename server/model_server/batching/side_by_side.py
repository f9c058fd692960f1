"""How many rows of those that wait are to run beside those that run already."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from model_server.batching.rows import size_to_run
from model_server.options.batching import Batching


@dataclass(frozen=True)
class Running:
    """What runs while others wait: the rows of each batch by its kind, and how runs use processors.

    ``parallel`` batches of a kind run best side by side, because each runs on one processor; one
    where a run has them all.
    """

    rows: Mapping[Hashable, Sequence[int]]
    parallel: int = 1

    def rows_to_wait_for(self, kind: Hashable, waiting: int, rules: Batching) -> int:
        """From how many rows on those that wait are worth a run beside the others of their kind.

        A smaller one would take a processor from them for a few rows, and with those that come
        meanwhile it costs little more.
        """
        running = self.rows.get(kind, ())
        wanted = self._share(kind, waiting) if self.parallel > 1 else min(running, default=0)
        return min(wanted, rules.max_execution_size)

    def rows_to_take(self, kind: Hashable, waiting: int, rules: Batching) -> int:
        """How many rows of those that wait are to be one batch, and the others another."""
        if self.parallel == 1 or rules.timeout:
            return rules.max_execution_size
        share = size_to_run(self._share(kind, waiting), rules.allowed_sizes)
        return min(share, rules.max_execution_size)

    def _share(self, kind: Hashable, waiting: int) -> int:
        return -(-(waiting + sum(self.rows.get(kind, ()))) // self.parallel)


NOTHING_RUNS = Running({})
