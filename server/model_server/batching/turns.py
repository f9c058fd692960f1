"""Whose batch runs next: queues with something ready take turns."""

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass

from model_server.batching.bundle import Bundle
from model_server.batching.bundle_queue import BundleQueue
from model_server.batching.priorities import MixedQueue, queue_of
from model_server.batching.queue import Batch, BatchQueue, Run
from model_server.batching.rhythm import Ended, Rhythm
from model_server.batching.sharing import Sharing
from model_server.batching.side_by_side import Running
from model_server.batching.task import Task
from model_server.options.batching import Batching


@dataclass(frozen=True)
class Call:
    """What can be run together with others of the same key, by which rules, and how.

    ``model`` is what shares its threads with other models; it is kept for a while. See Running for
    ``parallel``.
    """

    key: Hashable
    rules: Batching
    run: Run
    model: Hashable = None
    parallel: int = 1


# Keys, and kinds of one key, of which is known how they run.
_MOST_RHYTHMS = 64

_Queue = BatchQueue | MixedQueue | BundleQueue


class Turns:
    """Queues by key, each there as long as something waits in it; not thread-safe.

    A queue that had its turn goes behind all others, so that none starves whatever the load; and a
    model that runs on all but one of the ``threads`` has no turn while others may come.
    """

    def __init__(self, threads: int = 1) -> None:
        self._queues: dict[Hashable, _Queue] = {}
        self._calls: dict[Hashable, Call] = {}
        self._sharing = Sharing(threads)
        # By key and kind: the rows of each batch that runs.
        self._running: dict[Hashable, dict[Hashable, list[int]]] = {}
        self._rhythms: dict[Hashable, dict[Hashable, Rhythm]] = {}

    def offer(self, call: Call, task: Task) -> bool:
        """Lets a task wait in the queue of its call; False if only an end can make it ready.

        Raises what BatchQueue.offer does.
        """
        found = self._queues.get(call.key)
        queue = queue_of(call.rules, call.run) if found is None else found
        assert not isinstance(queue, BundleQueue), "they have keys of their own"
        queue.offer(task)
        self._keep(call.key, queue, call, task.enqueued)
        return queue.ready_at(self._beside(call.key, task.enqueued)) is not None

    def offer_bundle(self, call: Call, bundle: Bundle, now: float) -> None:
        """Lets a bundle wait, which is of one batch with no task. Raises what its queue does."""
        key = (call.key, BundleQueue)
        found = self._queues.get(key)
        queue = found if isinstance(found, BundleQueue) else BundleQueue(call.rules, call.run)
        queue.offer(bundle, now)
        self._keep(key, queue, call, now)

    def _keep(self, key: Hashable, queue: _Queue, call: Call, now: float) -> None:
        self._queues[key] = queue
        self._calls[key] = call
        self._sharing.ask(call.model, now)

    def take(self, now: float) -> Batch | None:
        """The next batch that is ready; its queue's next turn is after those of all others.

        ``end`` is to be called when it ran.
        """
        for key, queue in list(self._queues.items()):
            model = self._calls[key].model
            if self._sharing.may_hold_one_more_at(model) > now:
                continue
            batch = queue.take(now, self._beside(key, now))
            if not queue:
                self._drop(key)
            elif batch is not None:
                self._queues[key] = self._queues.pop(key)
            if batch is not None:
                self._sharing.hold(model)
                self._running.setdefault(key, defaultdict(list))[batch.kind].append(batch.rows)
                waited = batch.waits(now)
                rhythm = self._rhythms.get(key, {}).get(batch.kind)
                if rhythm is not None and waited:
                    rhythm.begun(now, waited)
                return batch._replace(key=key, model=model, began=now, waited=waited)
        return None

    def _beside(self, key: Hashable, now: float) -> Running:
        call = self._calls[key]
        parallel = call.parallel
        if parallel > 1:
            parallel = min(parallel, self._sharing.threads_for(call.model, now))
        return Running(self._running.get(key, {}), parallel, self._rhythms.get(key, {}))

    def end(self, batch: Batch, now: float) -> None:
        """A batch that was taken ran, and its thread is free."""
        self._learn(batch, now)
        self._sharing.release(batch.model)
        runs = self._running[batch.key]
        runs[batch.kind].remove(batch.rows)
        if not runs[batch.kind]:
            del runs[batch.kind]
        if not runs:
            del self._running[batch.key]

    def _learn(self, batch: Batch, now: float) -> None:
        if batch.rules.timeout or batch.rules.low is not None:
            return
        known = self._rhythms.pop(batch.key, {})
        # Behind all others, so that those of models that are gone are forgotten first.
        self._rhythms[batch.key] = known
        while len(self._rhythms) > _MOST_RHYTHMS:
            del self._rhythms[next(iter(self._rhythms))]
        if batch.kind not in known and len(known) >= _MOST_RHYTHMS:
            return
        run = Ended(now, now - batch.began, batch.requests, batch.rows, self._waiting(batch))
        if batch.kind not in known:
            known[batch.kind] = Rhythm()
        known[batch.kind].ended(run)

    def _waiting(self, batch: Batch) -> int:
        """How many rows waited for its end; of bundles, none of clients that it answered."""
        if batch.taken is not None:
            return batch.taken.waiting
        queue = self._queues.get(batch.key)
        return 0 if queue is None or isinstance(queue, BundleQueue) else queue.rows_of(batch.kind)

    def _drop(self, key: Hashable) -> None:
        del self._queues[key], self._calls[key]

    def remove(self, key: Hashable, task: Task) -> None:
        """Takes a task that shall not be run out of the queue of its key, if it is there."""
        queue = self._queues.get(key)
        if queue is not None and not isinstance(queue, BundleQueue):
            queue.remove(task)
            if not queue:
                self._drop(key)

    def ready_at(self, now: float) -> float | None:
        """When ``take`` will have something, if nothing comes or ends; None if nothing waits."""
        times = [
            max(ready, self._sharing.may_hold_one_more_at(self._calls[key].model))
            for key, queue in self._queues.items()
            if (ready := queue.ready_at(self._beside(key, now))) is not None
        ]
        return min(times, default=None)

    def end_all(self) -> tuple[list[Task], list[Bundle]]:
        """Empties all queues; the tasks and bundles that were there."""
        tasks: list[Task] = []
        bundles: list[Bundle] = []
        for queue in self._queues.values():
            if isinstance(queue, BundleQueue):
                bundles += queue.waiting()
            else:
                tasks += queue.waiting()
        self._queues.clear()
        self._calls.clear()
        return tasks, bundles
