"""Whose batch runs next: queues with something ready take turns."""

from collections.abc import Hashable
from dataclasses import dataclass

from model_server.batching.queue import Batch, BatchQueue, Run
from model_server.batching.task import Task
from model_server.options.batching import Batching


@dataclass(frozen=True)
class Call:
    """What can be run together with others of the same key, by which rules, and how."""

    key: Hashable
    rules: Batching
    run: Run


class Turns:
    """Queues by key, each there as long as something waits in it; not thread-safe.

    A queue that had its turn goes behind all others, so that none starves whatever the load.
    """

    def __init__(self) -> None:
        self._queues: dict[Hashable, BatchQueue] = {}

    def offer(self, call: Call, task: Task) -> None:
        """Lets a task wait in the queue of its call. Raises what BatchQueue.offer does."""
        queue = self._queues.get(call.key) or BatchQueue(call.rules, call.run)
        queue.offer(task)
        self._queues[call.key] = queue

    def take(self, now: float) -> Batch | None:
        """The next batch that is ready; its queue's next turn is after those of all others."""
        for key, queue in list(self._queues.items()):
            batch = queue.take(now)
            if not queue:
                del self._queues[key]
            elif batch is not None:
                self._queues[key] = self._queues.pop(key)
            if batch is not None:
                return batch
        return None

    def remove(self, key: Hashable, task: Task) -> None:
        """Takes a task that shall not be run out of the queue of its key, if it is there."""
        queue = self._queues.get(key)
        if queue is not None:
            queue.remove(task)
            if not queue:
                del self._queues[key]

    def ready_at(self) -> float | None:
        """When ``take`` will have something, if nothing comes; None if nothing waits."""
        times = [queue.ready_at() for queue in self._queues.values()]
        return min((time for time in times if time is not None), default=None)

    def end(self) -> list[Task]:
        """Empties all queues; the tasks that were there."""
        tasks = [task for queue in self._queues.values() for task in queue.waiting()]
        self._queues.clear()
        return tasks
