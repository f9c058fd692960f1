"""Queues take turns, so that no model starves whatever the others are asked."""

from collections import Counter
from datetime import timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model_server.batching.task import Task
from model_server.batching.turns import Call, Turns
from model_server.options.batching import Batching

ONE_BY_ONE = Batching(max_size=1, max_execution_size=1, max_enqueued=1000)


def task(at: float = 0.0) -> Task:
    return Task({"x": np.zeros([1])}, 1, at)


def call(key: str, rules: Batching = ONE_BY_ONE) -> Call:
    # What is run tells whose turn it was.
    return Call(key, rules, lambda _inputs: [np.array([key])])


def turn(turns: Turns, now: float = 0.0) -> str | None:
    """Whose batch is next."""
    batch = turns.take(now)
    return None if batch is None else str(batch.run({})[0][0])


@given(st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_as_long_as_all_have_something_all_get_the_same(waiting):
    turns = Turns()
    for number, count in enumerate(waiting):
        for _ in range(count):
            turns.offer(call(str(number)), task())
    rounds = min(waiting)

    order = [turn(turns) for _ in range(rounds * len(waiting))]

    assert set(Counter(order).values()) == {rounds}


@given(st.lists(st.sampled_from("abc!"), max_size=60))
def test_nobody_waits_longer_than_one_turn_of_each_other(steps):
    """Letters are tasks that come, ``!`` is a batch that runs."""
    turns, passed = Turns(), Counter()
    waiting = Counter()
    for step in steps:
        if step != "!":
            turns.offer(call(step), task())
            waiting[step] += 1
            continue
        key = turn(turns)
        if key is not None:
            waiting[key] -= 1
            passed.pop(key, None)
            passed.update(other for other in waiting if waiting[other] and other != key)

    assert max(passed.values(), default=0) <= 2


def test_one_that_is_not_ready_takes_no_turn():
    turns = Turns()
    turns.offer(call("slow", Batching(timeout=timedelta(seconds=5))), task())
    turns.offer(call("quick"), task())

    assert [turn(turns, 1.0), turn(turns, 1.0), turns.ready_at(1.0)] == ["quick", None, 5.0]
    assert [turn(turns, 5.0), turns.ready_at(5.0)] == ["slow", None]


def test_a_few_rows_run_beside_others_or_after_more_rows_of_their_kind():
    turns = Turns(2)
    for _ in range(3):
        turns.offer(call("a", Batching()), task())
    running = turns.take(0.0)
    assert running is not None

    assert not turns.offer(call("a", Batching()), task())
    assert turns.offer(call("b", Batching()), task())

    assert [turn(turns), turn(turns), turns.ready_at(0.0)] == ["b", None, None]
    turns.end(running, 0.0)
    assert [turns.ready_at(0.0), turn(turns)] == [0.0, "a"]


def test_who_leaves_is_not_run_and_leaves_nothing():
    turns = Turns()
    gone = task()
    turns.offer(call("a"), gone)

    turns.remove("a", gone)
    turns.remove("a", gone)

    assert [turn(turns), turns.ready_at(0.0)] == [None, None]


def test_at_the_end_all_that_wait_are_known():
    turns = Turns()
    tasks = [task(), task(), task()]
    for name, waits in zip("aba", tasks, strict=True):
        turns.offer(call(name), waits)

    waiting, _ = turns.end_all()
    assert set(waiting) == set(tasks)
    assert turn(turns) is None
