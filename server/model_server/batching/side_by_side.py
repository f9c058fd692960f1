"""How many rows of those that wait are to run beside those that run already, and when."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from model_server.batching.rhythm import Rhythm
from model_server.batching.rows import size_to_run
from model_server.options.batching import Batching


class Wait(NamedTuple):
    """What is waited for: so many rows, or a time."""

    rows: int
    until: float = math.inf


@dataclass(frozen=True)
class Running:
    """What runs while others wait: the rows of each batch by its kind, and how runs use processors.

    ``parallel`` batches of a kind run best side by side, because each runs on one processor, unless
    they are short; one where a run has them all. ``rhythms`` are those of kinds of which something
    is known.
    """

    rows: Mapping[Hashable, Sequence[int]]
    parallel: int = 1
    rhythms: Mapping[Hashable, Rhythm] = field(default_factory=dict)

    def wait(self, kind: Hashable, waiting: int, rules: Batching) -> Wait:
        """What those that wait have to wait for, without a timeout, to be worth a run.

        A small batch beside a larger one would take a processor from it for a few rows, and with
        those that come meanwhile it costs little more.
        """
        running = self.rows.get(kind, ())
        rhythm = self.rhythms.get(kind)
        if self._is_parted(kind):
            wait = Wait(self._share(kind, waiting))
        elif rhythm is None or not rhythm.pays:
            wait = Wait(min(running, default=0))
        elif running:
            # Those who are answered then come, too.
            wait = Wait(rules.max_execution_size, rhythm.over)
        else:
            wait = Wait(rhythm.rows, rhythm.until)
        return wait._replace(rows=min(wait.rows, rules.max_execution_size))

    def rows_to_take(self, kind: Hashable, waiting: int, rules: Batching) -> int:
        """How many rows of those that wait are to be one batch, and the others another."""
        if rules.timeout or not self._is_parted(kind):
            return rules.max_execution_size
        share = size_to_run(self._share(kind, waiting), rules.allowed_sizes)
        return min(share, rules.max_execution_size)

    def _is_parted(self, kind: Hashable) -> bool:
        rhythm = self.rhythms.get(kind)
        return self.parallel > 1 and (rhythm is None or not rhythm.is_short)

    def _share(self, kind: Hashable, waiting: int) -> int:
        return -(-(waiting + sum(self.rows.get(kind, ()))) // self.parallel)


NOTHING_RUNS = Running({})
