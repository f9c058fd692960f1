"""Indices of checkpoints: read as TensorFlow wrote them, written so that TensorFlow reads them."""

import google_crc32c
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tensorflow.python.training import py_checkpoint_reader

from model_server.servables.sharding.checkpoint.checkpoint_index import (
    BrokenIndex,
    StoredTensor,
    index_bytes,
    read_index,
    rows_of,
)
from model_server.servables.sharding.checkpoint.checksums import combine, mask, masked, unmask
from model_server.servables.sharding.checkpoint.sorted_table import read_table, table_of

WANTED = {
    "table": np.arange(1000 * 7, dtype=np.float32).reshape(1000, 7),
    "scalar": np.array(3, dtype=np.int64),
    "words": np.array([b"a", b"bc"]),
    "empty": np.zeros((0, 4), np.float16),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("checkpoint") / "variables"
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(WANTED),
        shape_and_slices=[""] * len(WANTED),
        tensors=list(WANTED.values()),
    )
    return prefix


def indexed(checkpoint):
    return read_index(checkpoint.with_suffix(".index").read_bytes())


def data_of(checkpoint):
    return checkpoint.with_suffix(".data-00000-of-00001")


def test_it_tells_the_place_of_each_tensors_bytes(checkpoint):
    index = indexed(checkpoint)
    assert index.files == 1
    assert set(index.tensors) == set(WANTED)
    table = index.tensors["table"]
    assert (table.shape, tf.as_dtype(table.dtype)) == ((1000, 7), tf.float32)
    data = data_of(checkpoint).read_bytes()[table.offset : table.offset + table.size]
    assert data == WANTED["table"].tobytes()
    assert masked(data) == table.crc


def test_rows_are_restored_by_tensorflow_from_an_index_of_their_own(checkpoint, tmp_path):
    table, rows = indexed(checkpoint).tensors["table"], range(250, 500)
    crc = masked(WANTED["table"][rows.start : rows.stop].tobytes())
    part = rows_of(table, rows, "table/part_1_of_4", crc)
    prefix = tmp_path / "share"
    prefix.with_suffix(".index").write_bytes(index_bytes(1, [part]))
    prefix.with_suffix(".data-00000-of-00001").symlink_to(data_of(checkpoint))
    reader = py_checkpoint_reader.NewCheckpointReader(str(prefix))
    found = reader.get_tensor("table/part_1_of_4")
    assert np.array_equal(found, WANTED["table"][250:500])


def test_a_large_index_of_ours_is_read_by_tensorflow_and_by_us(tmp_path):
    tensors = [
        StoredTensor(f"model/layer_{number}/kernel", 1, (number, 2), 0, 0, number * 8, 7)
        for number in range(20_000)
    ]
    prefix = tmp_path / "many"
    prefix.with_suffix(".index").write_bytes(index_bytes(1, tensors))
    shapes = py_checkpoint_reader.NewCheckpointReader(str(prefix)).get_variable_to_shape_map()
    assert shapes == {each.key: list(each.shape) for each in tensors}
    assert (
        sorted(
            read_index(prefix.with_suffix(".index").read_bytes()).tensors.values(),
            key=lambda each: each.shape,
        )
        == tensors
    )


@pytest.mark.parametrize("rows", [range(-1, 3), range(0, 1001), range(0, 10, 2), range(5, 4)])
def test_rows_that_are_not_there_are_refused(checkpoint, rows):
    with pytest.raises(ValueError, match="has no rows"):
        rows_of(indexed(checkpoint).tensors["table"], rows, "part", 0)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda data: b"", "does not say that it is a checkpoint index"),
        (lambda data: data[:-1], "does not say that it is a checkpoint index"),
        (lambda data: b"x" + data[1:], "checksum"),
        (lambda data: table_of({b"a": b"\xff"}), "no header"),
        (lambda data: table_of({b"": b"\xff"}), "Error parsing message|pars"),
        (lambda data: data[60:], "cut short|checksum|compressed"),
    ],
)
def test_what_is_no_index_is_refused_with_its_fault(checkpoint, spoil, said):
    with pytest.raises(BrokenIndex, match=said):
        read_index(spoil(checkpoint.with_suffix(".index").read_bytes()))


@given(st.data())
def test_whatever_byte_is_changed_the_answer_is_right_or_a_refusal(checkpoint, data):
    whole = checkpoint.with_suffix(".index").read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    spoilt = bytearray(whole)
    spoilt[place] ^= data.draw(st.integers(1, 255))
    try:
        found = read_index(bytes(spoilt))
    except BrokenIndex:
        return
    assert found == read_index(whole)


@given(st.dictionaries(st.binary(max_size=40), st.binary(max_size=2000), max_size=60))
def test_a_table_gives_back_what_was_put_in(pairs):
    assert read_table(table_of(pairs)) == dict(sorted(pairs.items()))


@given(st.binary(max_size=3000), st.binary(max_size=3000))
def test_sums_of_two_parts_make_the_sum_of_the_whole(first, second):
    crcs = [google_crc32c.value(part) for part in (first, second)]
    assert combine(*crcs, len(second)) == google_crc32c.value(first + second)


@given(st.integers(0, 2**32 - 1))
def test_masks_come_off_again(crc):
    assert unmask(mask(crc)) == crc
