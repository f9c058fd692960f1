"""Passes over one object never overlap, and each wake-up is followed by a pass."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry

from model_operator.domain.errors import ApiError
from model_operator.handlers.queue import Backoff, Queue
from model_operator.metrics.operation import Metrics


class Passes:
    """Records passes; `gate` holds each until it is set, `errors` are raised one by one."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.errors: list[Exception] = []
        self.begun: list[str] = []
        self.ended: asyncio.Queue[str] = asyncio.Queue()
        self.running = 0
        self.most_running = 0
        self.again_at: datetime | None = None

    async def run(self, key: str) -> datetime | None:
        self.begun.append(key)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        await self.gate.wait()
        self.running -= 1
        self.ended.put_nowait(key)
        if self.errors:
            raise self.errors.pop(0)
        again_at, self.again_at = self.again_at, None
        return again_at


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


@pytest.fixture
def queue(metrics):
    return Queue(metrics)


@pytest.fixture
def passes():
    return Passes()


def test_what_fails_for_weeks_is_tried_each_minute():
    backoff = Backoff()

    delays = [backoff.after_failure("a") for _ in range(20_000)]

    assert delays[:8] == [0.5, 1, 2, 4, 8, 16, 32, 60]
    assert set(delays[8:]) == {60}
    assert backoff.after_failure("b") == 0.5
    backoff.forget("a")
    assert backoff.after_failure("a") == 0.5


async def test_many_wake_ups_before_a_pass_are_one_pass(queue, passes):
    async with queue.working(passes.run):
        for _ in range(20):
            queue.wake("a")
        await passes.ended.get()
        queue.wake("b")
        await passes.ended.get()

    assert passes.begun == ["a", "b"]


async def test_a_wake_up_during_a_pass_is_followed_by_another(queue, passes):
    passes.gate.clear()
    async with queue.working(passes.run):
        queue.wake("a")
        while not passes.begun:
            await asyncio.sleep(0)
        queue.wake("a")
        await asyncio.sleep(0.05)
        passes.gate.set()
        await passes.ended.get()
        await passes.ended.get()

    assert passes.begun == ["a", "a"]
    assert passes.most_running == 1


async def test_passes_of_other_objects_run_beside(queue, passes):
    passes.gate.clear()
    async with queue.working(passes.run):
        queue.wake("a")
        queue.wake("b")
        while len(passes.begun) < 2:
            await asyncio.sleep(0)
        passes.gate.set()
        await passes.ended.get()
        await passes.ended.get()

    assert passes.most_running == 2


@pytest.mark.parametrize(
    ("error", "result"),
    [
        pytest.param(ApiError("PATCH /x", 409, "conflict"), "refused", id="an answer of the API"),
        pytest.param(KeyError("spec"), "error", id="a mistake of our own"),
    ],
)
async def test_a_pass_that_fails_is_run_again(queue, passes, metrics, error, result):
    passes.errors = [error]
    async with queue.working(passes.run):
        queue.wake("a")
        await passes.ended.get()
        await passes.ended.get()

    assert passes.begun == ["a", "a"]
    failed = metrics.registry.get_sample_value("modelfleet_reconcile_total", {"result": result})
    assert failed == 1


async def test_a_failing_object_does_not_stop_the_others(queue, passes):
    passes.errors = [KeyError("spec")]
    async with queue.working(passes.run):
        queue.wake("a")
        await passes.ended.get()
        queue.wake("b")
        await passes.ended.get()

    assert passes.begun[:2] == ["a", "b"]


async def test_a_pass_that_asks_for_another_look_gets_it(queue, passes):
    passes.again_at = datetime.now(UTC) + timedelta(milliseconds=50)
    async with queue.working(passes.run):
        queue.wake("a")
        await passes.ended.get()
        await passes.ended.get()

    assert passes.begun == ["a", "a"]
