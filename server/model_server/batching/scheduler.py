"""The threads that run batches, the same for all models, and the requests that wait for them."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError

from model_server.batching.bell import Bell, PlainBell
from model_server.batching.bundle import Bundle
from model_server.batching.queue import Batch
from model_server.batching.rows import Tensor, Tensors, row_count
from model_server.batching.running import Observer, run_batch
from model_server.batching.task import Task
from model_server.batching.turns import Call, Turns
from model_server.core.client import Client, client
from model_server.core.errors import Code, ServingError
from model_server.core.going_on import ended

_log = logging.getLogger(__name__)


class BatchScheduler:
    """So many threads that run what waits; thread-safe. They begin with the first request."""

    def __init__(
        self, threads: int, name: str, observer: Observer, bell: Bell | None = None
    ) -> None:
        self._observer = observer
        self._turns = Turns(threads)
        self._lock = threading.Lock()
        self._bell = bell or PlainBell()
        self._is_ended = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(threads)
        ]
        self._are_started = False

    def run(self, call: Call, inputs: Tensors) -> Sequence[Tensor]:
        """Runs these inputs in a batch with others; returns the outputs for their rows.

        Raises ServingError: what BatchQueue.offer raises, RESOURCE_EXHAUSTED when the client's
        deadline passes in the queue, CANCELLED when it is gone; and what ``call.run`` raises.
        """
        asking = client()
        task = self._offered(call, inputs, asking)
        asking.about_to_wait()
        # One who is gone leaves the queue at once; what runs already is waited for.
        asking.when_gone(lambda: self._leave(call, task))
        try:
            return self._await(call, task, asking)
        finally:
            asking.when_gone(None)

    async def run_later(self, call: Call, inputs: Tensors) -> Sequence[Tensor]:
        """The same for whoever is told when its client's deadline passes, and needs no thread.

        The thread that ran the batch goes on with what comes after. Raises ServingError.
        """
        asking = client()
        task = self._offered(call, inputs, asking)
        asking.when_gone(lambda: self._leave(call, task))
        try:
            return await ended(task.answer)
        except CancelledError:
            raise ServingError(Code.CANCELLED, "The client is gone") from None
        finally:
            asking.when_gone(None)

    def run_bundle(self, call: Call, bundle: Bundle) -> None:
        """Has a bundle run in batches by whoever hears the bell next.

        Raises ServingError: what BatchQueue.offer raises. What has not run when the scheduler is
        stopped is refused with UNAVAILABLE.
        """
        with self._lock:
            self._check()
            self._turns.offer_bundle(call, bundle, time.monotonic())

    def listen(self) -> Bell:
        """The bell, which the threads hear from now on."""
        with self._lock:
            self._start()
        return self._bell

    def _offered(self, call: Call, inputs: Tensors, asking: Client) -> Task:
        task = Task(inputs, row_count(inputs), time.monotonic(), may_be_shed=asking.may_be_shed)
        self._offer(call, task)
        return task

    def _offer(self, call: Call, task: Task) -> None:
        with self._lock:
            self._check()
            may_be_ready = self._turns.offer(call, task)
            self._start()
        if may_be_ready:
            self._bell.ring()

    def _check(self) -> None:
        if self._is_ended:
            raise ServingError(Code.UNAVAILABLE, "The server is ending")

    def _await(self, call: Call, task: Task, asking: Client) -> Sequence[Tensor]:
        remaining = asking.deadline
        if remaining is not None:
            remaining = max(remaining - time.monotonic(), 0.0)
        try:
            return task.answer.result(remaining)
        except CancelledError:
            raise ServingError(Code.CANCELLED, "The client is gone") from None
        except TimeoutError:
            if self._leave(call, task):
                raise ServingError(
                    Code.RESOURCE_EXHAUSTED,
                    "Run() timeout exceeded while waiting in batching queue",
                ) from None
        # It runs, or it ended in a time-out of its own.
        return task.answer.result()

    def _leave(self, call: Call, task: Task) -> bool:
        """Whether the task left the queue, or was taken out of it before."""
        if not task.answer.cancel():
            return False
        with self._lock:
            self._turns.remove(call.key, task)
        return True

    def stop(self, seconds: float) -> None:
        """Ends the threads, waiting for those that run a batch for at most so long.

        Who waits in a queue is told UNAVAILABLE, as is who comes later.
        """
        with self._lock:
            self._is_ended = True
            tasks, bundles = self._turns.end_all()
        self._bell.ring()
        ended = ServingError(Code.UNAVAILABLE, "The server is ending")
        for task in tasks:
            if task.begin():
                task.fail(ended)
        for bundle in bundles:
            bundle.refuse(ended)
        until = time.monotonic() + seconds
        for thread in self._threads if self._are_started else ():
            thread.join(max(until - time.monotonic(), 0.0))

    def _start(self) -> None:
        if not self._are_started:
            self._are_started = True
            for thread in self._threads:
                thread.start()

    def _work(self) -> None:
        while self._run_next():
            pass
        # The next one shall end, too.
        self._bell.ring()

    def _run_next(self) -> bool:
        # In a function, so that a thread that waits keeps nothing of a model that may be unloaded.
        batch = self._next()
        if batch is None:
            return False
        run_batch(batch, self._observer)
        # What came meanwhile waits, too.
        _call(self._bell.heard())
        with self._lock:
            self._turns.end(batch, time.monotonic())
        return True

    def _next(self) -> Batch | None:
        while True:
            with self._lock:
                if self._is_ended:
                    return None
                now = time.monotonic()
                batch = self._turns.take(now)
                ready = self._turns.ready_at(now)
            if batch is not None:
                if ready is not None and ready <= now:
                    # It became so by the end of another, of which one thread only knows.
                    self._bell.ring()
                return batch
            _call(self._bell.wait(None if ready is None else max(ready - now, 0.0)))


def _call(brought: Iterable[Callable[[], object]]) -> None:
    for each in brought:
        try:
            each()
        except Exception:
            # The outermost frame of these threads: one that ended would run nothing ever more.
            _log.exception("what was brought to the batches failed unexpectedly")
