"""TensorProtos and arrays turn into each other as TensorFlow's own do."""

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow.core.framework.tensor_pb2 import TensorProto

from model_server.servables import tensors
from model_server.servables.dtypes import BY_NUMPY

SAMPLES = [
    np.array([[1.5, -2.0], [0.0, np.inf]], np.float32),
    np.linspace(0, 1, 100, dtype=np.float32).reshape(4, 25),
    np.linspace(0, 1, 100, dtype=np.float64),
    np.array(2.0, np.float32),
    np.zeros((0, 3), np.float32),
    np.array([-1, 2**31 - 1], np.int32),
    np.array([255], np.uint8),
    np.array([-300], np.int16),
    np.array([-128], np.int8),
    np.array([65535], np.uint16),
    np.array([b"a", b"\xff\x00"], object),
    np.array([1 + 2j, -1j], np.complex64),
    np.array([1 + 2j], np.complex128),
    np.array([-(2**63)], np.int64),
    np.array([True, False]),
    np.array([1.5, -0.0], np.float16),
    np.array([1.5, -2.5], ml_dtypes.bfloat16),
    np.array([2**32 - 1], np.uint32),
    np.array([2**64 - 1], np.uint64),
]
of_each_type = pytest.mark.parametrize(
    "array", SAMPLES, ids=lambda array: f"{array.dtype}{list(array.shape)}"
)


@of_each_type
def test_what_is_encoded_is_what_tensorflow_decodes(array):
    proto = TensorProto()

    tensors.encode(array, proto)

    np.testing.assert_array_equal(tf.make_ndarray(proto), array)
    assert not proto.tensor_content


@of_each_type
def test_what_tensorflow_encodes_is_decoded(array):
    decoded = tensors.decode(tf.make_tensor_proto(array))

    np.testing.assert_array_equal(decoded, array)
    assert decoded.dtype == array.dtype


@of_each_type
def test_tensor_content_says_the_same(array):
    proto = TensorProto()

    tensors.encode(array, proto, as_content=True)

    np.testing.assert_array_equal(tensors.decode(proto), array)
    np.testing.assert_array_equal(tf.make_ndarray(proto), array)


@given(arrays.arrays(np.float64, arrays.array_shapes(min_dims=0, min_side=0)))
def test_encoding_and_decoding_change_nothing(array):
    proto = TensorProto()

    tensors.encode(array, proto)

    np.testing.assert_array_equal(tensors.decode(proto), array)


def test_the_last_value_fills_the_shape():
    proto = TensorProto(dtype=1, float_val=[1.0, 2.0])
    proto.tensor_shape.dim.add().size = 4

    assert tensors.decode(proto).tolist() == [1.0, 2.0, 2.0, 2.0]


def test_a_shape_without_values_is_filled_with_zeros():
    proto = TensorProto(dtype=7)
    proto.tensor_shape.dim.add().size = 2

    assert tensors.decode(proto).tolist() == [b"", b""]


def test_strings_in_tensor_content_are_split():
    proto = TensorProto(dtype=7, tensor_content=b"\x01\x02abc")
    proto.tensor_shape.dim.add().size = 2

    assert tensors.decode(proto).tolist() == [b"a", b"bc"]


def _proto(*sizes: int, **fields: object) -> TensorProto:
    proto = TensorProto(**fields)
    proto.tensor_shape.SetInParent()
    for size in sizes:
        proto.tensor_shape.dim.add().size = size
    return proto


@pytest.mark.parametrize(
    "proto",
    [
        pytest.param(_proto(1, dtype=0), id="no type"),
        pytest.param(_proto(1, dtype=20), id="a resource"),
        pytest.param(_proto(1, dtype=999), id="an unknown type"),
        pytest.param(_proto(-1, dtype=1), id="a negative size"),
        pytest.param(_proto(2**62, 2**62, dtype=1), id="more elements than int64 counts"),
        pytest.param(_proto(2**40, dtype=1, float_val=[1.0]), id="a fill beyond the memory"),
        pytest.param(_proto(2**40, dtype=7, string_val=[b""]), id="strings beyond the memory"),
        pytest.param(_proto(0, 2**62, 2**62, dtype=1), id="no elements of an impossible shape"),
        pytest.param(_proto(*[1] * 65, dtype=1), id="more dimensions than numpy has"),
        pytest.param(_proto(2, dtype=1, tensor_content=b"abc"), id="content of another size"),
        pytest.param(_proto(2, dtype=7, tensor_content=b"\x05\x01abc"), id="strings cut short"),
        pytest.param(_proto(2, dtype=7, tensor_content=b"\xff" * 20), id="endless lengths"),
    ],
)
def test_a_proto_that_describes_no_tensor_is_refused(proto):
    with pytest.raises(tensors.TensorError):
        tensors.decode(proto)


def test_an_unknown_rank_is_refused():
    proto = TensorProto(dtype=1)
    proto.tensor_shape.unknown_rank = True

    with pytest.raises(tensors.TensorError):
        tensors.decode(proto)


def test_an_array_of_a_foreign_type_is_refused():
    with pytest.raises(tensors.TensorError):
        tensors.encode(np.array(["text"]), TensorProto())


@given(
    dtype=st.sampled_from(sorted(dtype.number for dtype in BY_NUMPY.values())),
    sizes=st.lists(st.integers(-2, 99) | st.integers(2**40, 2**62), max_size=4),
    content=st.binary(max_size=32),
)
def test_no_shape_or_content_does_more_than_be_refused(dtype, sizes, content):
    proto = _proto(*sizes, dtype=dtype, tensor_content=content)

    try:
        decoded = tensors.decode(proto)
    except tensors.TensorError:
        return
    assert decoded.shape == tuple(sizes)
