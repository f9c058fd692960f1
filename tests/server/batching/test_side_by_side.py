"""How much of what waits is one batch beside those that run, on one processor each or on all."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_server.batching.rhythm import Ended
from model_server.batching.side_by_side import Running, Wait
from model_server.options.batching import Batching
from server.batching.test_rhythm import regular

RULES = Batching(max_size=64, max_execution_size=64)


@pytest.mark.parametrize(
    ("waiting", "running", "parallel", "wait_for", "take"),
    [
        pytest.param(3, [], 1, 0, 64, id="nothing runs, and a run has all processors: all"),
        pytest.param(3, [9, 5], 1, 5, 64, id="others run: as many as the smallest of them"),
        pytest.param(3, [99], 1, 64, 64, id="a larger one than can be: a full one"),
        pytest.param(8, [], 2, 4, 4, id="nothing runs, and two have processors: half"),
        pytest.param(2, [4], 2, 3, 3, id="half of those that run and wait together"),
        pytest.param(4, [4], 2, 4, 4, id="what runs has its half, and so has this"),
        pytest.param(1, [], 4, 1, 1, id="never less than a row"),
        pytest.param(900, [], 2, 64, 64, id="never more than a batch may have"),
    ],
)
def test_what_is_waited_for_and_what_is_taken(waiting, running, parallel, wait_for, take):
    beside = Running({"kind": running, "another": [1, 1]}, parallel)

    assert beside.wait("kind", waiting, RULES) == Wait(wait_for)
    assert beside.rows_to_take("kind", waiting, RULES) == take


def test_a_share_is_filled_with_others_and_not_with_padding():
    rules = Batching(max_size=8, max_execution_size=8, allowed_sizes=(4, 8))
    beside = Running({}, 2)

    assert (beside.wait("", 6, rules), beside.rows_to_take("", 6, rules)) == (Wait(3), 4)


def test_what_would_be_over_before_another_thread_began_is_not_parted():
    rhythm = regular(returns=0.001, beside_rows=0.00001, row=0.00001)
    beside = Running({"": [1]}, 2, {"": rhythm})

    assert (beside.wait("", 8, RULES), beside.rows_to_take("", 8, RULES)) == (Wait(1), 64)


def test_with_a_timeout_what_was_waited_for_is_not_parted():
    rules = Batching(max_size=8, max_execution_size=8, timeout=timedelta(seconds=1))

    assert Running({}, 2).rows_to_take("", 8, rules) == 8


def test_those_who_were_answered_are_waited_for_where_that_pays():
    rhythm = regular(returns=0.001, beside_rows=0.004)
    rhythm.ended(Ended(9.0, 0.008, requests=3, rows=3, waiting=2))
    rhythm.begun(9.001, [0.0] * 3)
    known = {"kind": rhythm}

    assert Running({}, 1, known).wait("kind", 1, RULES) == Wait(5, pytest.approx(9.0015))
    assert Running({"kind": [3]}, 1, known).wait("kind", 1, RULES) == Wait(64, rhythm.over)
    assert 9.001 < rhythm.over < 9.03
    assert Running({"kind": [3]}, 2, known).wait("kind", 1, RULES) == Wait(2)
    assert Running({}, 1, known).wait("another", 1, RULES) == Wait(0)


@given(
    st.integers(1, 500),
    st.lists(st.integers(1, 64), max_size=8),
    st.integers(1, 8),
    st.sampled_from([(), (1, 64), (8, 16, 64)]),
)
def test_what_waits_runs_at_once_if_nothing_else_does_and_always_at_its_end(
    waiting, running, parallel, allowed
):
    rules = Batching(max_size=64, max_execution_size=64, allowed_sizes=allowed)
    alone = Running({}, parallel)
    beside = Running({"": running}, parallel)

    assert alone.wait("", waiting, rules).rows <= waiting
    assert beside.wait("", waiting, rules).rows <= 64
    assert 1 <= beside.rows_to_take("", waiting, rules) <= 64
