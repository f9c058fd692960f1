"""Rows of all requests advance together; each enters and leaves at its own step."""

import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.batching.steps.sequences import Sequences
from model_server.batching.steps.stepper import StepLimits, Stepper
from model_server.batching.steps.waiting import Waiting
from model_server.core.client import Client, working_for
from model_server.core.errors import Code, ServingError
from model_server.core.going_on import go_on
from server.stepping.cells import Sums, rows


def ask(stepper, *sequences, client=None):
    with working_for(client or Client()):
        return [each.tolist() for each in stepper.run(*rows(*sequences))]


@pytest.fixture
def pool():
    with ThreadPoolExecutor(8) as pool:
        yield pool


def stepper(cell, **limits):
    return Stepper(cell, StepLimits(**limits), "m")


def test_rows_of_different_lengths_are_answered_in_their_order():
    assert ask(stepper(Sums()), [1, 2, 3], [], [4], [5, 6]) == [
        [6, 0, 4, 11],
        [-6, 0, -4, -11],
    ]


def test_a_request_without_rows_is_answered():
    found = stepper(Sums()).run({"x": np.zeros([0, 3], np.float32)}, [])

    assert [each.shape for each in found] == [(0,), (0,)]


def test_a_row_enters_while_others_are_under_way_and_leaves_before_them(pool):
    cell = Sums(gated=True)
    at_work = stepper(cell)
    long = pool.submit(ask, at_work, [1, 1, 1, 1])
    assert cell.began.acquire(timeout=180)
    short = pool.submit(ask, at_work, [5])
    wait_for_rows(at_work, 1)

    cell.gate.release(2)
    assert short.result(180) == [[5], [-5]]
    assert not long.done()
    cell.gate.release(2)
    assert long.result(180) == [[4], [-4]]
    assert cell.sizes == [1, 2, 1, 1]


def test_one_thread_can_have_many_wait():
    at_work, found = stepper(Sums()), queue.Queue()

    async def work(sequence):
        found.put([each.tolist() for each in await at_work.run_later(*rows(sequence))])

    for number in range(5):
        go_on(work([1] * number))

    assert sorted(found.get(timeout=180) for _ in range(5)) == [[[n], [-n]] for n in range(5)]


def test_one_who_is_gone_is_not_advanced_though_no_thread_waits(pool):
    cell = Sums(gated=True)
    at_work, refused = stepper(cell), queue.Queue()
    other = pool.submit(ask, at_work, [1, 1])
    assert cell.began.acquire(timeout=180)

    async def work():
        try:
            await at_work.run_later(*rows([5]))
        except ServingError as error:
            refused.put(error.code)

    leaving = Client()
    with working_for(leaving):
        go_on(work())
    leaving.gone()

    assert refused.get(timeout=0) is Code.CANCELLED
    cell.gate.release(2)
    assert other.result(180) == [[2], [-2]]
    assert cell.sizes == [1, 1]


def wait_for_rows(stepper, count):
    """Until so many rows wait."""
    until = time.monotonic() + 180
    while stepper._waiting.rows < count:
        assert time.monotonic() < until
        threading.Event().wait(0.001)


def test_no_more_rows_than_allowed_advance_together():
    cell = Sums()

    ask(stepper(cell, active=2), [1, 1], [1, 1], [1, 1], [1])

    assert cell.sizes == [2, 2, 2, 1]


def test_threads_take_equal_shares(pool):
    cell = Sums(gated=True)
    at_work = stepper(cell, threads=2, share=1)
    first = pool.submit(ask, at_work, [1])
    assert cell.began.acquire(timeout=180)
    second = pool.submit(ask, at_work, [1])
    assert cell.began.acquire(timeout=180)
    many = pool.submit(ask, at_work, *[[1]] * 6)
    wait_for_rows(at_work, 6)
    cell.gate.release(100)

    for each in (first, second, many):
        each.result(180)
    assert cell.sizes[:2] == [1, 1]
    assert max(cell.sizes) < 6


def test_places_go_to_requests_in_turn():
    waiting = Waiting()
    many, few = (Sequences(*rows(*[[1]] * count)) for count in (4, 2))
    waiting.add(many)
    waiting.add(few)

    taken = [(row.task is few, row.number) for row in waiting.take(3) + waiting.take(9)]

    assert taken == [(False, 0), (True, 0), (False, 1), (True, 1), (False, 2), (False, 3)]
    assert waiting.rows == 0


def test_rows_of_requests_that_are_over_get_no_place():
    waiting = Waiting()
    gone, stays = (Sequences(*rows([1])) for _ in range(2))
    waiting.add(gone)
    waiting.add(stays)
    gone.answer.cancel()

    assert [row.task for row in waiting.take(2)] == [stays]


def test_a_row_that_fails_ends_its_request_and_no_other(pool):
    cell = Sums(gated=True)
    at_work = stepper(cell)
    first = pool.submit(ask, at_work, [1, 1, 1])
    assert cell.began.acquire(timeout=180)
    others = [pool.submit(ask, at_work, *each) for each in ([[2, -7, 2], [3, 3]], [[4, 4, 4]])]
    wait_for_rows(at_work, 3)
    cell.gate.release(100)

    assert first.result(180) == [[3], [-3]]
    assert others[1].result(180) == [[12], [-12]]
    with pytest.raises(ServingError) as failed:
        others[0].result(180)
    assert failed.value.message == "negative: -7.0"


def test_a_head_that_fails_ends_its_request_and_no_other(pool):
    cell = Sums(gated=True)
    at_work = stepper(cell)
    blocking = pool.submit(ask, at_work, [1])
    assert cell.began.acquire(timeout=180)
    fails, works = (pool.submit(ask, at_work, [each]) for each in (13, 14))
    wait_for_rows(at_work, 2)
    cell.gate.release(100)

    blocking.result(180)
    assert works.result(180) == [[14], [-14]]
    with pytest.raises(ServingError, match="thirteen"):
        fails.result(180)


def test_rows_of_other_shapes_advance_apart(pool):
    cell = Sums(gated=True)
    at_work = stepper(cell)
    blocking = pool.submit(ask, at_work, [1])
    assert cell.began.acquire(timeout=180)
    wide = pool.submit(at_work.run, {"x": np.ones([1, 2, 3], np.float32)}, [2])
    narrow = pool.submit(at_work.run, {"x": np.ones([1, 2], np.float32)}, [2])
    wait_for_rows(at_work, 2)
    cell.gate.release(100)

    blocking.result(180)
    assert [each.result(180)[0].tolist() for each in (wide, narrow)] == [[6], [2]]


def test_who_is_gone_leaves_before_the_next_step(pool):
    cell = Sums(gated=True)
    at_work, client = stepper(cell), Client()
    gone = pool.submit(ask, at_work, [1] * 50, client=client)
    assert cell.began.acquire(timeout=180)

    client.gone()

    with pytest.raises(ServingError) as error:
        gone.result(180)
    assert error.value.code is Code.CANCELLED
    cell.gate.release(100)
    assert ask(at_work, [1, 1]) == [[2], [-2]]
    assert len(cell.sizes) < 10


def test_a_deadline_that_passes_is_told(pool):
    cell = Sums(gated=True)
    client = Client(deadline=time.monotonic())

    with pytest.raises(ServingError) as error:
        ask(stepper(cell), [1, 1], client=client)
    cell.gate.release(100)

    assert error.value.code is Code.DEADLINE_EXCEEDED


def test_too_many_rows_are_refused_at_once(pool):
    cell = Sums(gated=True)
    at_work = stepper(cell, active=1, waiting=2)
    active = pool.submit(ask, at_work, [1])
    assert cell.began.acquire(timeout=180)

    with pytest.raises(ServingError) as error:
        ask(at_work, [1], [1], [1])
    cell.gate.release(100)

    assert error.value.code is Code.UNAVAILABLE
    assert active.result(180) == [[1], [-1]]


@pytest.mark.parametrize("given", ["step", "head"])
def test_a_model_that_gives_other_than_one_row_for_each_is_refused(given):
    class Wrong(Sums):
        def step(self, inputs, states):
            return {"sum": np.zeros([7], np.float32)} if given == "step" else states

        def head(self, states):
            return [np.float32(3)]

    with pytest.raises(ServingError) as error:
        ask(stepper(Wrong()), [1], [2])

    assert error.value.code is Code.FAILED_PRECONDITION


def test_no_thread_stays_when_there_is_nothing_to_advance():
    ask(stepper(Sums()), [1])

    for thread in [each for each in threading.enumerate() if each.name == "steps-m"]:
        thread.join(180)
        assert not thread.is_alive()


numbers = st.lists(st.integers(-1, 2), max_size=6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(numbers, min_size=1, max_size=4), min_size=1, max_size=5),
       st.integers(1, 4), st.integers(1, 2))  # fmt: skip
def test_whoever_asks_gets_what_its_own_rows_give(requests, active, threads):
    at_work = stepper(Sums(), active=active, threads=threads, share=2)

    def asked(sequences):
        try:
            return ask(at_work, *sequences)[0]
        except ServingError as error:
            return error.code

    with ThreadPoolExecutor(len(requests)) as pool:
        found = list(pool.map(asked, requests))

    assert found == [expected(each) for each in requests]


def expected(sequences):
    if any(number < 0 for each in sequences for number in each):
        return Code.INVALID_ARGUMENT
    return [float(sum(each)) for each in sequences]


def test_few_rows_are_not_parted_among_threads(pool):
    cell = Sums(gated=True)
    at_work = stepper(cell, threads=2, share=4)
    first = pool.submit(ask, at_work, [1, 1])
    assert cell.began.acquire(timeout=180)
    second = pool.submit(ask, at_work, [1, 1])
    wait_for_rows(at_work, 1)
    cell.gate.release(100)

    first.result(180)
    second.result(180)
    assert cell.sizes == [1, 2, 1]
