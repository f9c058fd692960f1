"""Threads of the scheduler: what waits while one works runs together; who leaves is not run."""

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest

from model_server.batching.bell import PlainBell
from model_server.batching.scheduler import BatchScheduler
from model_server.batching.turns import Call
from model_server.core.client import Client, working_for
from model_server.core.errors import Code, ServingError
from model_server.core.going_on import go_on
from model_server.options.batching import Batching
from model_server.service.metrics.batching import BatchingMetrics

LONG = 60


class Model:
    """Doubles; its first run lasts until ``go_on`` is called. Remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[list[float]] = []
        self.begun = threading.Event()
        self._may_end = threading.Event()

    def __call__(self, inputs):
        self.given.append(inputs["x"].tolist())
        self.begun.set()
        assert self._may_end.wait(LONG)
        return [inputs["x"] * 2]

    def go_on(self) -> None:
        self._may_end.set()


class Impatient(Client):
    """Its deadline is when the model begins its first run."""

    def __init__(self, model: Model) -> None:
        self._model = model
        super().__init__()

    @property
    def deadline(self) -> float:
        assert self._model.begun.wait(LONG)
        return time.monotonic()

    @deadline.setter
    def deadline(self, _none: None) -> None:
        pass


class Harness:
    """One thread that runs batches, and clients that ask it."""

    def __init__(self) -> None:
        self.metrics = BatchingMetrics()
        self.model = Model()
        self.scheduler = BatchScheduler(1, "test", self.metrics)
        self._call = Call("model", Batching(), self.model)
        self._clients = ThreadPoolExecutor(16)

    def ask(self, *numbers: float, client: Client | None = None) -> "Future[list[float]]":
        return self._clients.submit(self._ask, client or Client(), numbers)

    def _ask(self, client: Client, numbers: tuple[float, ...]) -> list[float]:
        with working_for(client):
            return self.scheduler.run(self._call, {"x": np.array(numbers)})[0].tolist()

    def ask_later(self, *numbers: float, client: Client) -> "Future[list[float]]":
        """By the thread that calls, which does not wait."""
        answer: Future[list[float]] = Future()

        async def work() -> None:
            try:
                found = await self.scheduler.run_later(self._call, {"x": np.array(numbers)})
            except ServingError as error:
                answer.set_exception(error)
            else:
                answer.set_result(found[0].tolist())

        with working_for(client):
            go_on(work())
        return answer

    def wait_for_rows(self, rows: int) -> None:
        """Until so many rows wait."""
        until = time.monotonic() + LONG
        while sum(task.rows for task in self.waiting()) != rows:
            assert time.monotonic() < until
            time.sleep(0.005)

    def waiting(self):
        turns = self.scheduler._turns
        return [task for queue in list(turns._queues.values()) for task in queue.waiting()]

    def end(self) -> None:
        self.model.go_on()
        self.scheduler.stop(LONG)
        self._clients.shutdown()


@pytest.fixture
def harness() -> Iterator[Harness]:
    harness = Harness()
    yield harness
    harness.end()


def test_what_waits_while_a_thread_works_runs_together(harness):
    first = harness.ask(1)
    assert harness.model.begun.wait(LONG)
    others = [harness.ask(number) for number in range(10, 18)]
    harness.wait_for_rows(8)

    harness.model.go_on()

    assert first.result(LONG) == [2]
    assert [other.result(LONG) for other in others] == [[2 * n] for n in range(10, 18)]
    assert [len(rows) for rows in harness.model.given] == [1, 8]


def test_one_thread_can_have_many_wait(harness):
    first = harness.ask_later(1, client=Client())
    others = [harness.ask_later(number, client=Client()) for number in range(10, 18)]

    harness.model.go_on()

    assert first.result(LONG) == [2]
    assert [other.result(LONG) for other in others] == [[2 * n] for n in range(10, 18)]


def test_one_who_is_gone_leaves_the_queue_though_no_thread_waits(harness):
    harness.ask(1)
    assert harness.model.begun.wait(LONG)
    leaving = Client()
    answer = harness.ask_later(5, client=leaving)

    leaving.gone()

    with pytest.raises(ServingError) as refused:
        answer.result(0)
    assert refused.value.code is Code.CANCELLED
    assert harness.waiting() == []


def test_one_whose_deadline_passes_in_the_queue_is_refused_and_not_run(harness):
    first = harness.ask(1)
    assert harness.model.begun.wait(LONG)

    late = harness.ask(2, client=Client(time.monotonic()))

    error = late.exception(LONG)
    assert (error.code, error.message) == (
        Code.RESOURCE_EXHAUSTED,
        "Run() timeout exceeded while waiting in batching queue",
    )
    harness.model.go_on()
    assert first.result(LONG) == [2]
    assert harness.model.given == [[1]]


def test_one_whose_deadline_passes_while_it_runs_is_answered(harness):
    asked = harness.ask(1, client=Impatient(harness.model))
    assert harness.model.begun.wait(LONG)
    time.sleep(0.1)

    harness.model.go_on()

    assert asked.result(LONG) == [2]


def test_one_who_is_gone_leaves_the_queue_at_once(harness):
    harness.ask(1)
    assert harness.model.begun.wait(LONG)
    client = Client()
    gone, stays = harness.ask(2, client=client), harness.ask(3)
    harness.wait_for_rows(2)

    client.gone()

    assert gone.exception(LONG).code == Code.CANCELLED
    assert [task.rows for task in harness.waiting()] == [1]
    harness.model.go_on()
    assert stays.result(LONG) == [6]
    assert harness.model.given == [[1], [3]]


def test_at_the_end_who_waits_is_told_and_the_threads_are_gone(harness):
    first = harness.ask(1)
    assert harness.model.begun.wait(LONG)
    waits = harness.ask(2)
    harness.wait_for_rows(1)

    harness.scheduler.stop(0)
    harness.model.go_on()
    harness.scheduler.stop(LONG)

    assert first.result(LONG) == [2]
    assert waits.exception(LONG).code == Code.UNAVAILABLE
    with pytest.raises(ServingError, match="The server is ending"):
        harness.scheduler.run(Call("model", Batching(), harness.model), {"x": np.zeros([1])})
    assert not any(thread.is_alive() for thread in harness.scheduler._threads)


@pytest.mark.parametrize("fails", [False, True])
def test_a_thread_that_waits_keeps_nothing_of_a_model(harness, fails):
    class Weighty:
        def __call__(self, inputs):
            if fails:
                raise ServingError(Code.INTERNAL, "it fails")
            return [inputs["x"]]

    def ask() -> weakref.ref[Weighty]:
        model = Weighty()
        with suppress(ServingError):
            harness.scheduler.run(Call("weighty", Batching(), model), {"x": np.zeros([1])})
        return weakref.ref(model)

    kept = ask()

    until = time.monotonic() + LONG
    while kept() is not None:
        assert time.monotonic() < until
        gc.collect()
        time.sleep(0.005)


def test_runs_rows_and_waits_are_counted(harness):
    harness.model.go_on()
    assert harness.ask(1, 2, 3).result(LONG) == [2, 4, 6]

    found = {family.name.rpartition("/")[2]: family for family in harness.metrics.collect()}

    assert found["wrapped_run_count"].points == {(): 1}
    assert found["input_batch_size"].points[()].total == 3
    assert found["processed_batch_size"].points[()].total == 3
    assert found["padding_size"].points[("3",)].total == 0
    assert sum(found["queuing_latency"].points[("",)].counts) == 1


class Broken(BatchingMetrics):
    """Metrics that fail."""

    def waited(self, seconds: Sequence[float]) -> None:
        raise RuntimeError("broken")


def test_metrics_that_fail_end_no_thread_and_leave_nobody_without_an_answer():
    scheduler = BatchScheduler(1, "test", Broken())
    call = Call("model", Batching(), lambda inputs: [inputs["x"] * 2])

    def ask() -> None:
        for _ in range(2):
            with pytest.raises(RuntimeError, match="broken"):
                scheduler.run(call, {"x": np.array([1.0])})
        answered.set()

    answered = threading.Event()
    threading.Thread(target=ask, daemon=True).start()
    assert answered.wait(LONG)
    scheduler.stop(LONG)


class Bringing(PlainBell):
    """Brings, once, what fails."""

    def __init__(self) -> None:
        super().__init__()
        self.brought = [self._fail]

    def _fail(self) -> None:
        raise RuntimeError("broken")

    def wait(self, seconds: float | None = None):
        super().wait(seconds)
        brought, self.brought = self.brought, []
        return brought


def test_what_fails_that_was_brought_ends_no_thread(caplog):
    scheduler = BatchScheduler(1, "test", BatchingMetrics(), Bringing())
    scheduler.listen().ring()
    until = time.monotonic() + LONG
    while "broken" not in caplog.text:
        assert time.monotonic() < until
        time.sleep(0.005)

    call = Call("model", Batching(), lambda inputs: [inputs["x"] * 2])
    assert scheduler.run(call, {"x": np.array([1.0])})[0].tolist() == [2.0]
    scheduler.stop(LONG)
