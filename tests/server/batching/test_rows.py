"""Rows are merged, padded and parted as TensorFlow Serving does it."""

import numpy as np
import pytest

from model_server.batching.rows import mergeable, merged, parted, row_count, size_to_run
from model_server.core.errors import Code, ServingError


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "Batching Run() must have at least one input tensor"),
        (
            {"x": np.float32(1)},
            "Batching Run() input tensors must have at least one dimension",
        ),
        (
            {"x": np.zeros([2]), "y": np.zeros([3, 1])},
            "Batching Run() input tensors must have equal 0th-dimension size",
        ),
    ],
)
def test_inputs_that_are_no_rows_are_refused(inputs, message):
    with pytest.raises(ServingError) as raised:
        row_count(inputs)

    assert (raised.value.code, raised.value.message) == (Code.INVALID_ARGUMENT, message)


@pytest.mark.parametrize(
    ("rows", "allowed", "size"), [(2, (2, 4), 2), (2, (1, 3, 4), 3), (5, (2, 4), 5), (3, (), 3)]
)
def test_a_batch_grows_to_the_next_allowed_size(rows, allowed, size):
    assert size_to_run(rows, allowed) == size


def test_rows_keep_their_order_and_the_last_parts_first_row_fills_up():
    parts = [{"x": np.array([[1, 2]])}, {"x": np.array([[3, 4], [5, 6]])}]

    assert merged(parts, 5)["x"].tolist() == [[1, 2], [3, 4], [5, 6], [3, 4], [3, 4]]


def test_shorter_rows_are_filled_up_with_their_tensors_first_element():
    parts = [{"x": np.array([[[1, 2], [3, 4]]])}, {"x": np.arange(5, 14).reshape(1, 3, 3)}]

    assert merged(parts, 2)["x"].tolist() == [
        [[1, 2, 1], [3, 4, 1], [1, 1, 1]],
        [[5, 6, 7], [8, 9, 10], [11, 12, 13]],
    ]


def test_strings_are_merged_and_filled_up_too():
    parts = [{"x": np.array([[b"a"]], object)}, {"x": np.array([[b"b", b"c"]], object)}]

    assert merged(parts, 2)["x"].tolist() == [[b"a", b"a"], [b"b", b"c"]]


def test_padding_that_would_take_too_much_memory_is_refused():
    parts = [{"x": np.zeros([1, 100_000_000], np.int8)}, {"x": np.zeros([9, 1], np.int8)}]

    with pytest.raises(ServingError, match="would take more than"):
        merged(parts, 10)


@pytest.mark.parametrize(
    ("one", "other", "pad", "equal"),
    [
        ([1, 2], [5, 2], False, True),
        ([1, 2], [1, 3], False, False),
        ([1, 2], [1, 3], True, True),
        ([1, 2], [1, 2, 1], True, False),
        ([1, 0], [1, 2], True, False),
    ],
)
def test_what_can_be_of_one_batch(one, other, pad, equal):
    kinds = {mergeable({"x": np.zeros(shape)}, pad=pad) for shape in (one, other)}

    assert len(kinds) == (1 if equal else 2)


def test_each_gets_its_own_rows_and_padding_goes():
    assert [
        [output.tolist() for output in own]
        for own in parted([np.arange(5), np.arange(5) * 10], [1, 3], 5)
    ] == [[[0], [0]], [[1, 2, 3], [10, 20, 30]]]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (np.float32(1), "Batched output tensor has 0 dimensions"),
        (
            np.zeros([3]),
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension"
            " sizes of the input tensors",
        ),
    ],
)
def test_outputs_that_are_no_rows_cannot_be_parted(output, message):
    with pytest.raises(ServingError) as raised:
        parted([output], [1, 1], 2)

    assert (raised.value.code, raised.value.message) == (Code.FAILED_PRECONDITION, message)
