"""How models share the threads of a device under overload, on a clock of its own."""

import heapq
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.batching.queue import Batch
from model_server.batching.task import Task
from model_server.batching.turns import Call, Turns
from model_server.options.batching import Batching

RULES = Batching(max_size=4, max_execution_size=4, max_enqueued=1000)


@dataclass
class Device:
    """So many threads that run batches, each as long as its model's batches take.

    ``clients`` ask their model again as soon as they are answered.
    """

    threads: int
    lengths: dict[str, float]
    now: float = 0.0
    answered: Counter[str] = field(default_factory=Counter)
    waits: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._turns = Turns(self.threads)
        self._running: list[tuple[float, int, str, Batch]] = []

    def ask(self, model: str) -> None:
        task = Task({"x": np.zeros([1])}, 1, self.now)
        self._turns.offer(Call(model, RULES, lambda inputs: [inputs["x"]], model), task)

    def run(self, until: float) -> None:
        while self.now < until:
            self._begin()
            if not self._running:
                return
            self.now, _, model, batch = heapq.heappop(self._running)
            self._turns.end(batch, 0.0)
            self.answered[model] += len(batch.parts)
            for _ in batch.parts:
                self.ask(model)

    def _begin(self) -> None:
        while len(self._running) < self.threads:
            batch = self._turns.take(self.now)
            if batch is None:
                return
            model = str(batch.model)
            wait = max(self.now - part.task.enqueued for part in batch.parts)
            self.waits[model] = max(self.waits.get(model, 0.0), wait)
            end = self.now + self.lengths[model]
            heapq.heappush(self._running, (end, id(batch), model, batch))


def overloaded(device: Device, clients: int = 16) -> Device:
    """All models are asked by so many clients that batches are always full."""
    for model in device.lengths:
        for _ in range(clients):
            device.ask(model)
    return device


@settings(max_examples=20)
@given(st.integers(1, 8), st.integers(1, 4))
def test_models_alike_get_the_same_under_overload_within_a_tenth(models, threads):
    device = overloaded(Device(threads, dict.fromkeys("abcdefgh"[:models], 1.0)))

    device.run(100.0)

    answered = [device.answered[model] for model in device.lengths]
    assert max(answered) <= 1.1 * min(answered)


@settings(max_examples=20)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0.1, 10.0), min_size=2),
    st.integers(1, 4),
)
def test_nobody_starves_beside_models_that_take_as_long_as_they_like(lengths, threads):
    device = overloaded(Device(threads, lengths), clients=4)

    device.run(20 * sum(lengths.values()))

    # A turn of each model, its own among them, and what ran already.
    longest = 2 * sum(lengths.values())
    assert set(device.waits) == set(lengths)
    assert max(device.waits.values()) <= longest


def test_a_light_model_never_waits_for_a_slow_one_that_fills_the_device():
    device = overloaded(Device(2, {"slow": 1.0}))
    device.lengths["light"] = 0.001
    device.ask("light")

    device.run(20.0)

    assert device.waits["light"] < 0.002
    assert device.answered["slow"] == 4 * 20


def test_a_model_alone_fills_the_device_and_does_so_again_when_others_asked_long_ago():
    device = overloaded(Device(2, {"slow": 1.0}))
    device.ask("slow")

    device.run(10.0)
    alone = device.answered["slow"]

    assert alone == pytest.approx(4 * 2 * 10, abs=8)


def test_a_thread_that_was_kept_for_others_is_free_when_they_asked_long_ago():
    turns = Turns(2)

    def ask(model: str, at: float) -> None:
        turns.offer(
            Call(model, RULES, lambda inputs: [inputs["x"]], model),
            Task({"x": np.zeros([4])}, 4, at),
        )

    ask("light", 0.0)
    light = turns.take(0.0)
    assert light is not None
    turns.end(light, 0.0)
    for _ in range(2):
        ask("slow", 1.0)
    first = turns.take(1.0)

    assert first is not None
    assert (turns.take(1.0), turns.ready_at(1.0)) == (None, 5.0)
    assert turns.take(5.0) is not None
