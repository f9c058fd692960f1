"""A queue whose critical requests go first, and those that may be shed where there is room."""

import math
from collections.abc import Hashable
from dataclasses import replace

from model_server.batching.queue import Batch, BatchQueue, Run
from model_server.batching.rows import size_to_run
from model_server.batching.side_by_side import NOTHING_RUNS, Running
from model_server.batching.task import Task
from model_server.options.batching import Batching
from model_server.options.priorities import LowPriority, MixedPriority


class MixedQueue:
    """Two queues of one signature; not thread-safe. Times are seconds of one clock.

    A batch of critical requests is filled up with others as the policy says. Others make batches
    of their own only while no critical request waits.
    """

    def __init__(self, rules: Batching, low: LowPriority, run: Run) -> None:
        self._rules = rules
        self._policy = low.policy
        self._high = BatchQueue(rules, run)
        self._low = BatchQueue(_rules_of_low(rules, low), run)

    def __len__(self) -> int:
        return len(self._high) + len(self._low)

    def offer(self, task: Task) -> None:
        """Puts a task into its queue. Raises what BatchQueue.offer does."""
        (self._low if task.may_be_shed else self._high).offer(task)

    def take(self, now: float, running: Running = NOTHING_RUNS) -> Batch | None:
        """See BatchQueue."""
        batch = self._high.take(now, running)
        if batch is None and self._merges and self._low_is_ready(now, running):
            # They go together when either is ready, critical ones first.
            batch = self._high.take(math.inf)
        if batch is not None:
            return self._filled(batch)
        return None if len(self._high) else self._low.take(now, running)

    @property
    def _merges(self) -> bool:
        return self._policy is MixedPriority.MERGE

    def _low_is_ready(self, now: float, running: Running) -> bool:
        ready = self._low.ready_at(running)
        return ready is not None and ready <= now

    def _filled(self, batch: Batch) -> Batch:
        rows = sum(part.rows for part in batch.parts)
        size = self._rules.max_execution_size
        if self._policy is MixedPriority.PAD_TO_ALLOWED:
            size = size_to_run(rows, self._rules.allowed_sizes)
        if self._policy is MixedPriority.ISOLATE or not rows:
            return batch
        more = self._low.take_like(batch.parts[0].task, size - rows)
        return batch._replace(parts=[*batch.parts, *more])

    def remove(self, task: Task) -> None:
        """Takes out what there is of a task."""
        self._high.remove(task)
        self._low.remove(task)

    def ready_at(self, running: Running = NOTHING_RUNS) -> float | None:
        """See BatchQueue."""
        high, low = self._high.ready_at(running), self._low.ready_at(running)
        if self._merges:
            return min((each for each in (high, low) if each is not None), default=None)
        return high if len(self._high) else low

    def rows_of(self, kind: Hashable) -> int:
        """See BatchQueue."""
        return self._high.rows_of(kind) + self._low.rows_of(kind)

    def waiting(self) -> list[Task]:
        """The tasks in both queues, critical ones first."""
        return self._high.waiting() + self._low.waiting()


def queue_of(rules: Batching, run: Run) -> BatchQueue | MixedQueue:
    """An empty queue by these rules."""
    return BatchQueue(rules, run) if rules.low is None else MixedQueue(rules, rules.low, run)


def _rules_of_low(rules: Batching, low: LowPriority) -> Batching:
    return replace(
        rules,
        max_size=low.max_size,
        max_execution_size=low.max_size,
        timeout=low.timeout,
        max_enqueued=low.max_enqueued,
        allowed_sizes=low.allowed_sizes,
        split_large=False,
    )
