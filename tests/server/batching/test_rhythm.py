"""What is learned of runs and returns, and what becomes of clients that ask again and again."""

import heapq
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.batching.queue import Batch
from model_server.batching.rhythm import Ended, Rhythm
from model_server.batching.task import Task
from model_server.batching.turns import Call, Turns
from model_server.options.batching import Batching


def regular(returns: float, beside_rows: float, row: float = 0.001, runs: int = 40) -> Rhythm:
    """Of batches of 1 and 8 rows in turn, whose clients come again after so many seconds."""
    rhythm = Rhythm()
    now = 0.0
    for number in range(runs):
        rows = (1, 8)[number % 2]
        seconds = beside_rows + row * rows
        now += seconds
        rhythm.ended(Ended(now, seconds, rows, rows))
        now += returns
        rhythm.begun(now, [0.0] * rows)
    return rhythm


@pytest.mark.parametrize(
    ("returns", "beside_rows", "pays"),
    [
        pytest.param(0.001, 0.002, True, id="a run costs more than the wait"),
        pytest.param(0.002, 0.002, False, id="a run costs hardly more"),
        pytest.param(0.001, 0.0, False, id="only rows cost something"),
        pytest.param(5.0, 0.002, False, id="nobody comes for long"),
    ],
)
def test_it_pays_to_wait_for_less_than_a_run_costs_beside_its_rows(returns, beside_rows, pays):
    assert regular(returns, beside_rows).pays is pays


def test_nothing_pays_of_which_nothing_is_known():
    rhythm = Rhythm()
    assert (rhythm.pays, rhythm.rows) == (False, 0)

    rhythm.begun(1.0, [0.0])
    rhythm.ended(Ended(2.0, 1.0, 1, 1))
    assert not rhythm.pays


def test_runs_of_one_size_leave_what_was_known_of_others():
    rhythm = regular(returns=0.001, beside_rows=0.004)
    for number in range(1000):
        rhythm.ended(Ended(9.0 + number, 0.012, 8, 8))

    assert rhythm.pays


def test_where_fewer_come_than_were_answered_all_would_take_longer():
    rhythm = regular(returns=0.001, beside_rows=0.004)
    for number in range(40):
        rhythm.ended(Ended(9.0 + number, 0.012, 8, 8))
        rhythm.begun(9.001 + number, [0.0])

    assert not rhythm.pays


def test_a_run_that_takes_twice_as_long_as_others_is_not_waited_for_any_more():
    rhythm = regular(returns=0.001, beside_rows=0.004)
    for number in range(40):
        rhythm.ended(Ended(9.0 + number, 0.01, 8, 8))
    rhythm.begun(60.0, [0.0])

    assert rhythm.over == pytest.approx(60.02, rel=1e-4)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(1e-6, 1), st.integers(1, 9)), max_size=30))
def test_whatever_ran_and_came_the_wait_ends_soon_after_the_last_run(seen):
    rhythm = Rhythm()
    now = 0.0
    for pause, seconds, rows in seen:
        now += pause
        rhythm.begun(now, [0.0] * rows)
        now += seconds
        rhythm.ended(Ended(now, seconds, rows, rows))
        if rhythm.pays:
            # A run costs at most the longest of all.
            assert now <= rhythm.until < now + max(each for _, each, _ in seen) + 1e-6


@dataclass
class Clients:
    """Clients that ask one model again so long after their answer, on a clock of its own.

    A run takes ``beside_rows`` seconds and ``row`` for each of its rows, whatever else runs.
    """

    number: int
    returns: float
    beside_rows: float
    row: float
    answered: int = 0
    sizes: list[int] = field(default_factory=list)

    def served(self, until: float) -> int:
        turns, events, order = Turns(1), [], count()
        call = Call("model", Batching(), lambda _inputs: [])
        for _ in range(self.number):
            heapq.heappush(events, (0.0, next(order), None))
        runs, now = False, 0.0
        while now < until and events:
            now, _, batch = heapq.heappop(events)
            if isinstance(batch, Batch):
                self._end(turns, batch, now, events, order)
                runs = False
            elif batch is None:
                turns.offer(call, Task({"x": np.zeros([1])}, 1, now))
            if not runs and (taken := turns.take(now)) is not None:
                runs = True
                self.sizes.append(taken.rows)
                end = now + self._seconds(taken)
                heapq.heappush(events, (end, next(order), taken))
            elif not runs and (ready := turns.ready_at(now)) is not None:
                heapq.heappush(events, (ready, next(order), "look"))
        return self.answered

    def _seconds(self, batch: Batch) -> float:
        return self.beside_rows + self.row * batch.rows

    def _end(self, turns, batch, now, events, order) -> None:
        self.answered += batch.rows
        for _ in range(batch.rows):
            heapq.heappush(events, (now + self.returns, next(order), None))
        turns.end(batch, now)


def test_clients_of_a_model_whose_runs_cost_more_than_its_rows_come_to_be_of_one_batch():
    clients = Clients(32, returns=0.001, beside_rows=0.007, row=0.0001)
    clients.served(20.0)

    assert clients.sizes[-10:] == [32] * 10


def test_clients_of_a_model_whose_rows_cost_all_wait_for_nobody():
    clients = Clients(8, returns=0.001, beside_rows=0.0001, row=0.001)

    # One row at a time is always there, so the model is never idle.
    assert clients.served(20.0) >= 0.85 * 20.0 / (0.001 + 0.0001)
