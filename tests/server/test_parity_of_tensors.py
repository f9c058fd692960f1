"""Whatever tensor is sent, both APIs give it back alike."""

import base64
import json
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow_serving.apis.predict_pb2 import PredictRequest

# JSON cannot tell a shape that has a zero before its end.
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=3) | st.sampled_from(
    [(0,), (2, 0), (1, 3, 0)]
)
NUMBERS = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint32"]
SIGNATURES = {"float32": "of_float", "float64": "of_double", "float16": "of_half"}

# One server for all examples; they do not disturb each other.
shared = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def both(running, signature: str, array: np.ndarray, value: Any) -> tuple[np.ndarray, Any]:
    """What comes back of a tensor over gRPC, and of its JSON over REST."""
    request = PredictRequest(model_spec={"name": "identities", "signature_name": signature})
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(array, shape=array.shape))
    (output,) = running.grpc.prediction.Predict(request).outputs.values()
    body = json.dumps({"signature_name": signature, "inputs": value})
    answer = running.http.post("/v1/models/identities:predict", body)
    assert answer.status == 200, answer.text
    return tf.make_ndarray(output), answer.json["outputs"]


@pytest.mark.parametrize("name", [*NUMBERS, "uint64", "bool"])
@settings(shared, max_examples=20)
@given(data=st.data())
def test_numbers(running, name, data):
    array = data.draw(arrays.arrays(np.dtype(name), SHAPES))

    by_grpc, by_rest = both(running, SIGNATURES.get(name, f"of_{name}"), array, array.tolist())

    np.testing.assert_array_equal(by_grpc, array)
    np.testing.assert_array_equal(np.array(by_rest, name).reshape(array.shape), array)


@settings(shared, max_examples=30)
@given(array=arrays.arrays(np.float32, SHAPES, elements=st.floats(width=16)))
def test_bfloat16(running, array):
    short = array.astype(ml_dtypes.bfloat16)

    by_grpc, by_rest = both(running, "of_bfloat16", short, short.astype(float).tolist())

    np.testing.assert_array_equal(by_grpc.astype(float), short.astype(float))
    back = np.array(by_rest, ml_dtypes.bfloat16).reshape(short.shape)
    np.testing.assert_array_equal(back.astype(float), short.astype(float))


@shared
@given(items=st.lists(st.binary(max_size=20), max_size=5))
def test_bytes(running, items):
    array = np.array([*items, None], object)[:-1]
    value = [{"b64": base64.b64encode(item).decode()} for item in items]

    by_grpc, by_rest = both(running, "of_bytes", array, value)

    assert by_grpc.tolist() == items
    assert by_rest == value


@shared
@given(items=st.lists(st.text(max_size=20), max_size=5))
def test_text(running, items):
    array = np.array([*(item.encode() for item in items), None], object)[:-1]

    by_grpc, by_rest = both(running, "of_string", array, items)

    assert [item.decode() for item in by_grpc] == items
    assert by_rest == items
