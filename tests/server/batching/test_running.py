"""Whatever comes together in whatever batches, each request gets its own answer, once."""

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.batching.ran import Ran
from model_server.batching.running import run_batch
from model_server.batching.task import Task
from model_server.batching.turns import Call, Turns
from model_server.core.errors import Code, ServingError
from model_server.options.batching import Batching


class Seen:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.runs: list[Ran] = []

    def waited(self, seconds: Sequence[float]) -> None:
        pass

    def ran(self, ran: Ran) -> None:
        self.runs.append(ran)


def doubled(inputs):
    """Refuses any batch with a negative number in it."""
    if (inputs["x"] < 0).any():
        raise ServingError(Code.INVALID_ARGUMENT, f"negative: {inputs['x'].min()}")
    return [inputs["x"] * 2, inputs["x"][:, :1] + 0.5]


def answered(rules: Batching, sent: list[list[int]], run=doubled) -> tuple[list[Task], Seen]:
    """Runs all of these requests, of as many rows as each has numbers, until nothing waits."""
    turns, seen = Turns(), Seen()
    tasks = [Task({"x": np.array(rows, float).reshape(-1, 1)}, len(rows)) for rows in sent]
    for task in tasks:
        turns.offer(Call("model", rules, run), task)
    while batch := turns.take(0.0):
        run_batch(batch, seen)
        turns.end(batch, 0.0)
    return tasks, seen


numbers = st.lists(st.integers(-3, 50), max_size=7)


@given(
    st.lists(numbers, max_size=12),
    st.integers(1, 7),
    st.sampled_from([(), (1, 7), (2, 5, 7)]),
    st.booleans(),
)
def test_each_request_is_answered_exactly_as_if_it_were_alone(sent, execution, allowed, split):
    rules = Batching(
        max_size=7,
        max_execution_size=execution if split else 7,
        max_enqueued=1000,
        allowed_sizes=allowed,
        split_large=split,
    )

    tasks, _ = answered(rules, sent)

    assert all(task.answer.done() for task in tasks)
    for task, rows in zip(tasks, sent, strict=True):
        error = task.answer.exception()
        if any(number < 0 for number in rows):
            assert isinstance(error, ServingError)
            assert error.code == Code.INVALID_ARGUMENT
            assert float(error.message.removeprefix("negative: ")) in rows
        else:
            assert [out.tolist() for out in task.answer.result()] == [
                [[number * 2.0] for number in rows],
                [[number + 0.5] for number in rows],
            ]


def test_a_full_batch_is_one_run():
    _, seen = answered(Batching(max_size=4, max_execution_size=4), [[1], [2], [3, 4]])

    assert seen.runs == [Ran([1, 1, 2], 4, 0)]


def test_a_batch_is_filled_up_to_an_allowed_size():
    rules = Batching(max_size=4, max_execution_size=4, allowed_sizes=(1, 3, 4))

    tasks, seen = answered(rules, [[1, 2]])

    assert seen.runs == [Ran([2], 3, 1)]
    assert tasks[0].answer.result()[0].tolist() == [[2.0], [4.0]]


def test_of_a_batch_that_fails_each_is_run_alone():
    tasks, seen = answered(Batching(), [[1], [-1], [3]])

    assert [task.answer.exception() is None for task in tasks] == [True, False, True]
    assert seen.runs == [Ran([1, 1, 1], 3, 0)] + [Ran([1], 1, 0)] * 3


def test_a_request_that_fails_alone_is_not_run_twice():
    tasks, seen = answered(Batching(), [[-1]])

    assert tasks[0].answer.exception() is not None
    assert len(seen.runs) == 1


@pytest.mark.parametrize(
    "outputs", [lambda x: np.float32(x.sum()), lambda x: x[x > 1]], ids=["a sum", "a selection"]
)
def test_a_model_whose_outputs_are_no_rows_answers_as_without_batches(outputs):
    tasks, _ = answered(Batching(), [[1], [2]], lambda inputs: [outputs(inputs["x"])])

    assert [task.answer.result()[0].tolist() for task in tasks] == [
        outputs(np.array([[number]])).tolist() for number in (1.0, 2.0)
    ]


@pytest.mark.parametrize("raised", [SystemExit(1), ValueError("x"), TimeoutError()])
def test_whatever_a_platform_raises_everybody_is_answered(raised):
    def run(_inputs):
        raise raised

    tasks, _ = answered(Batching(), [[1], [2]], run)

    assert [task.answer.exception() for task in tasks] == [raised, raised]


def test_parts_of_other_shapes_cannot_be_joined():
    rules = Batching(max_size=4, max_execution_size=2, split_large=True)
    widths = iter([1, 2])

    tasks, _ = answered(rules, [[1, 2, 3, 4]], lambda inputs: [np.zeros([2, next(widths)])])

    assert tasks[0].answer.exception().code == Code.FAILED_PRECONDITION


def test_what_waits_for_a_timeout_is_not_run_before():
    tasks, seen = answered(Batching(timeout=timedelta(seconds=1)), [[1]])

    assert not tasks[0].answer.done()
    assert seen.runs == []
