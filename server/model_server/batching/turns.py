"""Whose batch runs next: queues with something ready take turns."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

from model_server.batching.priorities import MixedQueue, queue_of
from model_server.batching.queue import Batch, BatchQueue, Run, Running, nothing_runs
from model_server.batching.sharing import Sharing
from model_server.batching.task import Task
from model_server.options.batching import Batching


@dataclass(frozen=True)
class Call:
    """What can be run together with others of the same key, by which rules, and how.

    ``model`` is what shares its threads with other models; it is kept for a while.
    """

    key: Hashable
    rules: Batching
    run: Run
    model: Hashable = None


class Turns:
    """Queues by key, each there as long as something waits in it; not thread-safe.

    A queue that had its turn goes behind all others, so that none starves whatever the load; and a
    model that runs on all but one of the ``threads`` has no turn while others may come.
    """

    def __init__(self, threads: int = 1) -> None:
        self._queues: dict[Hashable, BatchQueue | MixedQueue] = {}
        self._models: dict[Hashable, Hashable] = {}
        self._sharing = Sharing(threads)
        # By key: the kind and the rows of each batch that runs.
        self._running: dict[Hashable, list[tuple[Hashable, int]]] = {}

    def offer(self, call: Call, task: Task) -> bool:
        """Lets a task wait in the queue of its call; False if only an end can make it ready.

        Raises what BatchQueue.offer does.
        """
        queue = self._queues.get(call.key) or queue_of(call.rules, call.run)
        queue.offer(task)
        self._queues[call.key] = queue
        self._models[call.key] = call.model
        self._sharing.ask(call.model, task.enqueued)
        return queue.ready_at(self._rows_running(call.key)) is not None

    def take(self, now: float) -> Batch | None:
        """The next batch that is ready; its queue's next turn is after those of all others.

        ``end`` is to be called when it ran.
        """
        for key, queue in list(self._queues.items()):
            model = self._models[key]
            if self._sharing.may_hold_one_more_at(model) > now:
                continue
            batch = queue.take(now, self._rows_running(key))
            if not queue:
                self._drop(key)
            elif batch is not None:
                self._queues[key] = self._queues.pop(key)
            if batch is not None:
                self._sharing.hold(model)
                self._running.setdefault(key, []).append((batch.kind, batch.rows))
                return replace(batch, key=key, model=model)
        return None

    def _rows_running(self, key: Hashable) -> Running:
        runs = self._running.get(key)
        if runs is None:
            return nothing_runs
        return lambda kind: min((rows for each, rows in runs if each == kind), default=0)

    def end(self, batch: Batch) -> None:
        """A batch that was taken ran, and its thread is free."""
        self._sharing.release(batch.model)
        runs = self._running[batch.key]
        runs.remove((batch.kind, batch.rows))
        if not runs:
            del self._running[batch.key]

    def _drop(self, key: Hashable) -> None:
        del self._queues[key], self._models[key]

    def remove(self, key: Hashable, task: Task) -> None:
        """Takes a task that shall not be run out of the queue of its key, if it is there."""
        queue = self._queues.get(key)
        if queue is not None:
            queue.remove(task)
            if not queue:
                self._drop(key)

    def ready_at(self) -> float | None:
        """When ``take`` will have something, if nothing comes or ends; None if nothing waits."""
        times = [
            max(ready, self._sharing.may_hold_one_more_at(self._models[key]))
            for key, queue in self._queues.items()
            if (ready := queue.ready_at(self._rows_running(key))) is not None
        ]
        return min(times, default=None)

    def end_all(self) -> list[Task]:
        """Empties all queues; the tasks that were there."""
        tasks = [task for queue in self._queues.values() for task in queue.waiting()]
        self._queues.clear()
        self._models.clear()
        return tasks
