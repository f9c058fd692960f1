"""Critical requests and those that may be shed, by TensorFlow's policies of mixed priorities."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from model_server.api.criticality import may_be_shed
from model_server.batching.priorities import MixedQueue
from model_server.batching.task import Task
from model_server.core.errors import Code, ServingError
from model_server.options.batching import Batching
from model_server.options.priorities import LowPriority, MixedPriority
from server.conftest import model_config

PAD, NEXT = MixedPriority.PAD_TO_MAX, MixedPriority.PAD_TO_ALLOWED
APART, MERGE = MixedPriority.ISOLATE, MixedPriority.MERGE
HOUR = timedelta(hours=1)


def queue(policy=PAD, *, timeout=timedelta(0), low_timeout=timedelta(0), **rules):
    rules = {"max_size": 8, "allowed_sizes": (2, 4, 8), "timeout": timeout} | rules
    low = LowPriority(4, low_timeout, 2, policy=policy)
    return MixedQueue(Batching(**rules, max_execution_size=8), low, lambda _inputs: [])


def offer(waiting, text, at=0.0):
    """``c3`` is a critical task of three rows, ``s1`` one of one row that may be shed."""
    for each in text.split():
        rows = int(each[1:])
        waiting.offer(Task({"x": np.zeros([rows])}, rows, at, may_be_shed=each[0] == "s"))


def taken(waiting, now=0.0):
    """Each batch that is ready, written as tasks are."""
    return [
        " ".join(f"{'s' if part.task.may_be_shed else 'c'}{part.rows}" for part in batch.parts)
        for batch in iter(lambda: waiting.take(now), None)
    ]


@pytest.mark.parametrize(
    ("policy", "tasks", "batches"),
    [
        (PAD, "s1 c3 s2", ["c3 s1 s2"]),
        (PAD, "c5 s2 s2", ["c5 s2", "s2"]),
        (PAD, "s4 c8 s1", ["c8", "s4", "s1"]),
        (NEXT, "c3 s1 s1", ["c3 s1", "s1"]),
        (NEXT, "c2 s1", ["c2", "s1"]),
        (APART, "s1 c3 s1", ["c3", "s1 s1"]),
        (MERGE, "s1 c3 s2", ["c3 s1 s2"]),
        (PAD, "s1 s2", ["s1 s2"]),
        (PAD, "c1 c2", ["c1 c2"]),
        (PAD, "c0 s1", ["c0", "s1"]),
    ],
)
def test_what_may_be_shed_takes_the_room_a_policy_gives_it(policy, tasks, batches):
    waiting = queue(policy)
    offer(waiting, tasks)

    assert taken(waiting) == batches
    assert len(waiting) == 0


@pytest.mark.parametrize(
    ("policy", "ready_at", "batches"),
    [(PAD, 3600.0, []), (APART, 3600.0, []), (MERGE, 1.0, ["c1 s4"])],
)
def test_only_merged_does_it_run_while_a_critical_request_waits_for_more(policy, ready_at, batches):
    waiting = queue(policy, timeout=HOUR)
    offer(waiting, "c1")
    offer(waiting, "s4", at=1.0)

    assert waiting.ready_at() == ready_at
    assert taken(waiting, 1.0) == batches


def test_it_waits_for_its_own_timeout_when_alone():
    waiting = queue(low_timeout=timedelta(seconds=5))
    offer(waiting, "s1")

    assert waiting.ready_at() == 5.0
    assert taken(waiting, 4.9) == []
    assert taken(waiting, 5.0) == ["s1"]


def test_its_queue_is_full_by_its_own_rules():
    waiting = queue()
    offer(waiting, "s4 s4")

    with pytest.raises(ServingError) as full:
        offer(waiting, "s4")
    offer(waiting, "c8 c8 c8")

    assert full.value.code is Code.UNAVAILABLE


def test_one_that_left_the_queue_takes_no_room():
    waiting = queue()
    offer(waiting, "c3 s2 s3")
    gone = next(each for each in waiting.waiting() if each.may_be_shed)
    gone.answer.cancel()

    assert taken(waiting) == ["c3 s3"]


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=12),
    st.sampled_from(list(MixedPriority)),
)
def test_nothing_is_lost_and_no_batch_is_too_large(tasks, policy):
    waiting = queue(policy, max_enqueued=100)
    offered = 0
    for sheddable, rows in tasks:
        try:
            offer(waiting, f"{'s' if sheddable else 'c'}{rows}")
            offered += rows
        except ServingError:
            assert sheddable

    batches = [[int(part[1:]) for part in batch.split()] for batch in taken(waiting)]

    assert sum(map(sum, batches)) == offered
    assert all(sum(batch) <= 8 for batch in batches)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (None, False),
        ("critical", False),
        ("critical_plus", False),
        ("sheddable", True),
        ("SHEDDABLE_PLUS ", True),
        (b"sheddable", True),
        ("whatever", False),
        (b"\xff", False),
    ],
)
def test_a_request_is_critical_unless_it_says_another_word(said, expected):
    assert may_be_shed(said) is expected


def test_both_apis_take_the_word_of_a_request(started, model_folders):
    running = started(
        model_config(model_folders / "default"),
        enable_batching=True,
        # Critical ones would wait for a second row for an hour.
        batching_parameters="max_batch_size { value: 2 }"
        " batch_timeout_micros { value: 3600000000 }"
        " low_priority_max_batch_size { value: 3 }"
        " low_priority_batch_timeout_micros { value: 3600000000 }"
        ' mixed_priority_batching_policy { value: "priority_isolation" }',
    )
    running.http.wait_until_ready()
    text = (
        'model_spec { name: "default" } inputs { key: "x" value { dtype: DT_FLOAT'
        " tensor_shape { dim { size: 1 } dim { size: 1 } } float_val: 4 } }"
    )
    request = text_format.Parse(text, PredictRequest())
    metadata = [("criticality", "sheddable")]
    under_way = [
        running.grpc.prediction.Predict.future(request, 60, metadata=metadata) for _ in range(2)
    ]

    with ThreadPoolExecutor() as pool:
        rest = pool.submit(
            running.http.request,
            "POST",
            "/v1/models/default:predict",
            b'{"instances": [[4]]}',
            criticality="sheddable_plus",
        )

        assert [list(each.result().outputs["y"].float_val) for each in under_way] == [[4], [4]]
        assert rest.result().json == {"predictions": [[4.0]]}
