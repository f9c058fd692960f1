"""Requests run by turns of their models: none keeps another waiting, and each wait is bounded."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.api.fair_turns import FairTurns
from model_server.core.client import Client, working_for
from model_server.core.errors import Code, ServingError

LONG = 60


class Requests:
    """Requests in threads, each of which runs until ``end`` is called for its model."""

    def __init__(self, turns: FairTurns) -> None:
        self._turns = turns
        self._threads = ThreadPoolExecutor(64)
        self._may_end: dict[str, threading.Semaphore] = {}
        self._began = threading.Semaphore(0)
        self.order: list[str] = []

    def ask(self, model: str, client: Client | None = None) -> "Future[None]":
        self._may_end.setdefault(model, threading.Semaphore(0))
        return self._threads.submit(self._run, model, client or Client())

    def _run(self, model: str, client: Client) -> None:
        with working_for(client), self._turns.turn(model):
            self.order.append(model)
            self._began.release()
            assert self._may_end[model].acquire(timeout=LONG)

    def wait_for_begun(self, count: int = 1) -> None:
        for _ in range(count):
            assert self._began.acquire(timeout=LONG)

    def wait_for_waiting(self, count: int) -> None:
        """Until so many wait for their turn."""
        tick = threading.Event()
        while self._turns.waiting != count:
            tick.wait(0.001)

    def end(self, model: str, count: int = 1) -> None:
        self._may_end[model].release(count)


def begun(turns: FairTurns, *models: str) -> Requests:
    """Requests of these models, asked one after the other; returns when all run or wait."""
    requests = Requests(turns)
    for number, model in enumerate(models, 1):
        requests.ask(model)
        tick = threading.Event()
        while turns.running + turns.waiting != number:
            tick.wait(0.001)
    return requests


def test_a_model_runs_one_request_however_many_of_a_slow_one_run_and_wait():
    requests = begun(FairTurns(2), *["slow"] * 10)

    quick = requests.ask("quick")

    requests.wait_for_begun(3)
    assert requests.order.count("quick") == 1
    requests.end("quick")
    quick.result(LONG)
    requests.end("slow", 10)


def test_turns_that_are_free_go_to_the_models_in_rotation():
    turns = FairTurns(1)
    requests = begun(turns, "a", "b", "a", "a", "b", "b", "b")
    requests.wait_for_begun(2)

    for model in "ababb":
        requests.end(model)
        requests.wait_for_begun()

    assert requests.order == ["a", "b", "a", "b", "a", "b", "b"]
    requests.end("a")
    requests.end("b")


def test_within_a_model_who_came_first_runs_first():
    turns = FairTurns(1)
    requests = begun(turns, "a")
    second = requests.ask("a")
    requests.wait_for_waiting(1)
    third = requests.ask("a")
    requests.wait_for_waiting(2)

    requests.end("a", 2)

    second.result(LONG)
    assert not third.done()
    requests.end("a")
    third.result(LONG)


def test_a_model_may_take_half_of_the_room_and_the_next_half_of_the_rest():
    refused = []
    turns = FairTurns(1, room=8, refused=lambda: refused.append(1))
    requests = begun(turns, *["a"] * 5, *["b"] * 3)

    for model in "ab":
        with pytest.raises(ServingError) as error, turns.turn(model):
            pass
        assert error.value.code is Code.RESOURCE_EXHAUSTED
        assert f"of model {model} wait for their turn already" in error.value.message
    assert len(refused) == 2
    requests.end("a", 5)
    requests.end("b", 3)


def test_who_is_gone_leaves_the_queue_and_is_told():
    turns = FairTurns(1)
    requests = begun(turns, "a")
    client = Client()
    leaving = requests.ask("a", client)
    requests.wait_for_waiting(1)

    client.gone()

    error = leaving.exception(LONG)
    assert isinstance(error, ServingError) and error.code is Code.CANCELLED
    assert turns.waiting == 0
    requests.end("a")


def test_who_was_gone_before_does_not_wait():
    turns = FairTurns(1)
    requests = begun(turns, "a")
    client = Client()
    client.gone()

    error = requests.ask("a", client).exception(LONG)

    assert isinstance(error, ServingError) and error.code is Code.CANCELLED
    requests.end("a")


def test_a_request_that_fails_gives_its_turn_back():
    turns = FairTurns(1)

    for _ in range(3):
        with pytest.raises(ZeroDivisionError), turns.turn("a"):
            raise ZeroDivisionError

    assert (turns.running, turns.waiting) == (0, 0)


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=24),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_never_more_run_than_together_and_each_ones_own_and_all_run_at_last(models, together, own):
    turns = FairTurns(together, own)
    running: list[str] = []
    most = 0
    lock = threading.Lock()

    def run(model: str) -> None:
        nonlocal most
        with turns.turn(model):
            with lock:
                running.append(model)
                beyond = len(running) - together
                others = sum(min(running.count(each), own) for each in set(running))
                most = max(most, beyond - others)
            with lock:
                running.remove(model)

    with ThreadPoolExecutor(24) as threads:
        for done in [threads.submit(run, model) for model in models]:
            done.result(LONG)

    assert most <= 0
    assert (turns.running, turns.waiting) == (0, 0)
