"""What forms a batch, when it is ready, and what is refused; by hand-driven steps."""

from datetime import timedelta

import numpy as np
import pytest

from model_server.batching.queue import BatchQueue
from model_server.batching.side_by_side import Running
from model_server.batching.task import Task
from model_server.core.errors import Code, ServingError
from model_server.options.batching import Batching


def queue(**rules) -> BatchQueue:
    rules.setdefault("max_execution_size", rules.get("max_size", 4))
    return BatchQueue(Batching(**{"max_size": 4} | rules), lambda _inputs: [])


def task(rows: int, width: int = 1, at: float = 0.0) -> Task:
    return Task({"x": np.zeros([rows, width])}, rows, at)


def taken(queue: BatchQueue, now: float = 0.0) -> list[list[int]]:
    """The rows of each part of each batch that is ready."""
    return [[part.rows for part in batch.parts] for batch in iter(lambda: queue.take(now), None)]


@pytest.mark.parametrize(
    ("rules", "sizes", "batches"),
    [
        pytest.param({}, [1, 1, 2, 1], [[1, 1, 2], [1]], id="until it is full"),
        pytest.param({}, [3, 2, 1], [[3], [2, 1]], id="until the next finds no place"),
        pytest.param({}, [0, 1, 0, 1], [[0], [1, 1], [0]], id="no rows are a batch of their own"),
        pytest.param({"max_size": 8}, [3, 4], [[3, 4]], id="larger batches"),
        pytest.param(
            {"split_large": True, "max_execution_size": 2},
            [1, 4, 3],
            [[1, 1], [2], [1, 1], [2]],
            id="large ones in parts",
        ),
    ],
)
def test_what_waits_forms_batches_in_order_of_arrival(rules, sizes, batches):
    waiting = queue(**rules)
    for rows in sizes:
        waiting.offer(task(rows))

    assert taken(waiting) == batches
    assert len(waiting) == 0


def test_without_a_timeout_what_waits_is_ready_at_once():
    waiting = queue()
    waiting.offer(task(1, at=5.0))

    assert waiting.ready_at() == 5.0
    assert taken(waiting, 5.0) == [[1]]


@pytest.mark.parametrize(
    ("rows", "running", "is_ready"),
    [
        pytest.param(1, [], True, id="none runs"),
        pytest.param(1, [2], False, id="a larger one runs"),
        pytest.param(1, [2, 1], True, id="one of the same size runs"),
        pytest.param(4, [5], True, id="it is full"),
    ],
)
def test_without_a_timeout_a_small_batch_waits_for_the_end_of_a_larger_one(rows, running, is_ready):
    waiting = queue()
    waiting.offer(task(rows, at=5.0))

    beside = Running({((1,),): running})
    assert (waiting.ready_at(beside) == 5.0) is is_ready
    assert (waiting.take(5.0, beside) is not None) is is_ready


def test_with_a_timeout_a_small_batch_waits_for_nothing_else():
    waiting = queue(timeout=timedelta(seconds=1))
    waiting.offer(task(1, at=5.0))

    assert waiting.ready_at(Running({((1,),): [3]})) == 6.0


def test_with_a_timeout_only_a_full_batch_is_ready_before():
    waiting = queue(timeout=timedelta(seconds=2))
    for at in range(5):
        waiting.offer(task(1, at=float(at)))

    assert taken(waiting, 4.0) == [[1, 1, 1, 1]]
    assert waiting.ready_at() == 6.0
    assert taken(waiting, 5.9) == []
    assert taken(waiting, 6.0) == [[1]]


def test_a_task_larger_than_any_batch_is_refused():
    with pytest.raises(ServingError) as raised:
        queue(max_size=3).offer(task(4))

    assert raised.value.code == Code.INVALID_ARGUMENT
    assert raised.value.message == "Task size 4 is larger than maximum input batch size 3"


@pytest.mark.parametrize("split", [False, True])
def test_beyond_so_many_batches_tasks_are_refused_whole(split):
    waiting = queue(max_enqueued=2, max_size=4, max_execution_size=2, split_large=split)
    for _ in range(3):
        waiting.offer(task(1))

    with pytest.raises(ServingError) as raised:
        waiting.offer(task(2 if not split else 3))

    assert raised.value.code == Code.UNAVAILABLE
    assert raised.value.message == (
        "The batch scheduling queue to which this task was submitted is full; currently"
        " 2 batches enqueued and max_enqueued_batches is 2"
    )
    assert taken(waiting) == [[1, 1], [1]]


def test_tasks_of_other_shapes_form_batches_of_their_own():
    waiting = queue()
    for width in (1, 2, 1, 2):
        waiting.offer(task(1, width))

    batches = [waiting.take(0.0), waiting.take(0.0)]

    assert [[p.inputs["x"].shape for p in batch.parts] for batch in batches] == [
        [(1, 1), (1, 1)],
        [(1, 2), (1, 2)],
    ]


def test_with_padding_tasks_of_one_rank_share_a_batch():
    waiting = queue(pad_variable_length_inputs=True)
    for width in (1, 2):
        waiting.offer(task(1, width))

    assert taken(waiting) == [[1, 1]]


def test_what_is_taken_out_leaves_its_place_to_others():
    waiting = queue(max_size=2, max_enqueued=1)
    first, second = task(2), task(2)
    waiting.offer(first)

    waiting.remove(first)
    waiting.offer(second)

    assert taken(waiting) == [[2]]
    assert not first.answer.running()
    assert second.answer.running()


def test_a_cancelled_task_is_not_run():
    waiting = queue()
    gone, stays = task(1), task(2)
    waiting.offer(gone)
    waiting.offer(stays)

    assert gone.answer.cancel()

    assert taken(waiting) == [[2]]


def test_a_batch_of_cancelled_tasks_is_none():
    waiting = queue()
    gone = task(1)
    waiting.offer(gone)
    gone.answer.cancel()

    assert taken(waiting) == []
    assert len(waiting) == 0


def test_where_each_run_has_a_processor_a_batch_is_parted_and_keeps_no_other_kind_waiting():
    waiting = queue(max_size=8)
    for width in (1, 1, 1, 2):
        waiting.offer(task(1, width))
    beside = Running({}, 2)

    order = []
    for _ in range(3):
        batch = waiting.take(0.0, beside)
        order.append([part.inputs["x"].shape for part in batch.parts])
        waiting.offer(task(1))

    assert order == [[(1, 1), (1, 1)], [(1, 2)], [(1, 1), (1, 1)]]
