"""Predict gives the same answer, or the same refusal, over gRPC and over REST."""

import base64
import json
import math
from typing import Any

import grpc
import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

INF, NAN = math.inf, math.nan
NOT_UTF8 = b"\x00\xff\xfe"

# model, signature, inputs (columns) by alias with their types
ASKED = [
    pytest.param("default", "", {"x": (np.float32, [2.0, 3.0])}, id="a vector"),
    pytest.param("default", "", {"x": (np.float32, [[2.0], [3.0]])}, id="a matrix"),
    pytest.param("default", "", {"x": (np.float32, 2.0)}, id="a scalar"),
    pytest.param("default", "", {"x": (np.float32, [])}, id="nothing"),
    pytest.param("default", "", {"x": (np.float32, [[], []])}, id="rows of nothing"),
    pytest.param("default", "", {"x": (np.float32, [NAN, INF, -INF])}, id="no numbers"),
    pytest.param("default", "", {"x": (np.float32, [1 / 3, 1e-30, 3e38])}, id="all digits"),
    pytest.param("default", "", {"x": (np.float32, [-0.0, 1e-45])}, id="the smallest"),
    pytest.param("default", "regress_x2_to_y3", {"inputs": (np.float32, [2.0])}, id="regress"),
    pytest.param("default", "classify_x2_to_y3", {"inputs": (np.float32, [2.0])}, id="classify"),
    pytest.param("two", "", {"x": (np.float32, [2.0])}, id="the latest of two versions"),
    pytest.param("with_default", "", {"x": (np.float32, [2.0])}, id="TF2"),
    pytest.param(
        "pair",
        "",
        {"numbers": (np.float32, [[1.0, 2.0]]), "words": (object, ["é"])},
        id="two inputs",
    ),
    pytest.param(
        "pair",
        "",
        {"numbers": (np.float32, np.ones((0, 2)).tolist()), "words": (object, [])},
        id="two inputs of no rows",
    ),
    pytest.param("identities", "positive", {"x": (np.float32, [1, -2, 3])}, id="fewer rows"),
    pytest.param("identities", "positive", {"x": (np.float32, [-1.0])}, id="no rows"),
    pytest.param("identities", "of_double", {"x": (np.float64, [1 / 3, 1e300])}, id="double"),
    pytest.param("identities", "of_double", {"x": (np.float64, [NAN, -INF])}, id="no doubles"),
    pytest.param("identities", "of_int8", {"x": (np.int8, [-128, 127])}, id="int8"),
    pytest.param("identities", "of_int16", {"x": (np.int16, [-(2**15), 2**15 - 1])}, id="int16"),
    pytest.param("identities", "of_int32", {"x": (np.int32, [[-(2**31), 2**31 - 1]])}, id="int32"),
    pytest.param("identities", "of_int64", {"x": (np.int64, [-(2**63), 2**63 - 1])}, id="int64"),
    pytest.param("identities", "of_uint8", {"x": (np.uint8, [0, 255])}, id="uint8"),
    pytest.param("identities", "of_uint32", {"x": (np.uint32, [2**32 - 1])}, id="uint32"),
    pytest.param("identities", "of_uint64", {"x": (np.uint64, [2**64 - 1])}, id="uint64"),
    pytest.param("identities", "of_bool", {"x": (np.bool_, [[True], [False]])}, id="bool"),
    pytest.param("identities", "of_string", {"x": (object, ["", '"\\\n', "日本"])}, id="string"),
    pytest.param("identities", "of_bytes", {"x": (object, [NOT_UTF8, b""])}, id="bytes"),
    pytest.param("identities", "of_bytes", {"x": (object, [[[NOT_UTF8]]])}, id="bytes in lists"),
    pytest.param("identities", "of_half", {"x": (np.float16, [0.5, 65504, 6e-8])}, id="half"),
    pytest.param("identities", "of_half", {"x": (np.float16, [NAN, INF])}, id="no half"),
    pytest.param(
        "identities", "of_bfloat16", {"x": (ml_dtypes.bfloat16, [0.5, 3e38])}, id="bfloat16"
    ),
    pytest.param(
        "identities", "of_bfloat16", {"x": (ml_dtypes.bfloat16, [NAN, -INF])}, id="no bfloat16"
    ),
]


def predicted(grpc_client, model: str, signature: str, inputs) -> dict[str, np.ndarray]:
    request = PredictRequest(model_spec={"name": model, "signature_name": signature})
    for alias, (dtype, value) in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(np.array(value, dtype)))
    answer = grpc_client.prediction.Predict(request)
    return {alias: tf.make_ndarray(proto) for alias, proto in answer.outputs.items()}


def as_json(value: Any) -> Any:
    """Bytes as the REST API takes them; everything else as it is."""
    if isinstance(value, list):
        return [as_json(item) for item in value]
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else value


def as_array(value: Any, like: np.ndarray) -> np.ndarray:
    """What the REST API told, in the type that gRPC told."""
    if like.dtype != object:
        return np.array(value, like.dtype)
    array = np.empty(like.shape, object)
    array[...] = np.array(value, object)
    return np.vectorize(as_bytes, otypes=[object])(array)


def comparable(array: np.ndarray) -> np.ndarray:
    """In a type whose NaN numpy knows."""
    return array.astype(np.float64) if array.dtype == ml_dtypes.bfloat16 else array


def as_bytes(value: Any) -> bytes:
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()


def named(told: Any, outputs: dict[str, np.ndarray]) -> dict[str, Any]:
    return told if len(outputs) > 1 else {next(iter(outputs)): told}


@pytest.mark.parametrize(("model", "signature", "inputs"), ASKED)
def test_columns_get_what_grpc_gets(grpc_client, http_client, model, signature, inputs):
    columns = {alias: as_json(value) for alias, (_, value) in inputs.items()}

    expected = predicted(grpc_client, model, signature, inputs)
    answer = http_client.post(
        f"/v1/models/{model}:predict", {"signature_name": signature, "inputs": columns}
    )

    found = named(answer.json["outputs"], expected)
    assert found.keys() == expected.keys()
    for alias, array in expected.items():
        np.testing.assert_array_equal(comparable(as_array(found[alias], array)), comparable(array))


WITH_ROWS = [
    asked
    for asked in ASKED
    if all(np.ndim(value) and len(value) for _, value in asked.values[2].values())
]


@pytest.mark.parametrize(("model", "signature", "inputs"), WITH_ROWS)
def test_rows_get_what_grpc_gets(grpc_client, http_client, model, signature, inputs):
    columns = [as_json(value) for _, value in inputs.values()]
    rows = [dict(zip(inputs, row, strict=True)) for row in zip(*columns, strict=True)]

    expected = predicted(grpc_client, model, signature, inputs)
    answer = http_client.post(
        f"/v1/models/{model}:predict", {"signature_name": signature, "instances": rows}
    )

    found = [named(row, expected) for row in answer.json["predictions"]]
    for alias, array in expected.items():
        column = [row[alias] for row in found]
        np.testing.assert_array_equal(
            comparable(as_array(column, array).reshape(array.shape)), comparable(array)
        )


HTTP = {grpc.StatusCode.NOT_FOUND: 404, grpc.StatusCode.INVALID_ARGUMENT: 400}
VECTOR = {"x": (np.float32, [2.0])}
REFUSED = [
    pytest.param("nobody", {"name": "nobody"}, VECTOR, id="model"),
    pytest.param(
        "default/versions/9", {"name": "default", "version": {"value": 9}}, VECTOR, id="version"
    ),
    pytest.param("default/labels/x", {"name": "default", "version_label": "x"}, VECTOR, id="label"),
    pytest.param(
        "slow",
        {"name": "slow"},
        {"x": (np.float32, [1.0]), "rounds": (np.int64, [1, 2])},
        id="a shape that the graph refuses",
    ),
]


@pytest.mark.parametrize(("path", "spec", "inputs"), REFUSED)
def test_both_refuse_with_the_same_words(grpc_client, http_client, path, spec, inputs):
    request = PredictRequest(model_spec=spec)
    for alias, (dtype, value) in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(np.array(value, dtype)))
    columns = {alias: value for alias, (_, value) in inputs.items()}

    by_rest = http_client.post(f"/v1/models/{path}:predict", json.dumps({"inputs": columns}))
    with pytest.raises(grpc.RpcError) as by_grpc:
        grpc_client.prediction.Predict(request)

    assert by_rest.status == HTTP[by_grpc.value.code()]
    assert by_rest.json == {"error": by_grpc.value.details()}
