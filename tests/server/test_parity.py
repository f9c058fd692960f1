"""The same request gives the same answer over gRPC and over REST."""

import json
import math

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

INF, NAN = math.inf, math.nan

# model, signature, inputs (columns) by alias with their types
ASKED = [
    pytest.param("default", "", {"x": (np.float32, [2.0, 3.0])}, id="a vector"),
    pytest.param("default", "", {"x": (np.float32, [[2.0], [3.0]])}, id="a matrix"),
    pytest.param("default", "", {"x": (np.float32, 2.0)}, id="a scalar"),
    pytest.param("default", "", {"x": (np.float32, [])}, id="nothing"),
    pytest.param("default", "", {"x": (np.float32, [NAN, INF, -INF])}, id="no numbers"),
    pytest.param("default", "", {"x": (np.float32, [1 / 3, 1e-30, 3e38])}, id="all digits"),
    pytest.param("default", "regress_x2_to_y3", {"inputs": (np.float32, [2.0])}, id="regress"),
    pytest.param("two", "", {"x": (np.float32, [2.0])}, id="the latest of two versions"),
    pytest.param(
        "pair",
        "",
        {"numbers": (np.float32, [[1.0, 2.0]]), "words": (object, ["a", "é"])},
        id="two inputs",
    ),
    pytest.param("identities", "of_double", {"x": (np.float64, [1 / 3, 1e300])}, id="double"),
    pytest.param("identities", "of_int32", {"x": (np.int32, [[-(2**31), 2**31 - 1]])}, id="int32"),
    pytest.param("identities", "of_int64", {"x": (np.int64, [-(2**63), 2**63 - 1])}, id="int64"),
    pytest.param("identities", "of_uint8", {"x": (np.uint8, [0, 255])}, id="uint8"),
    pytest.param("identities", "of_uint32", {"x": (np.uint32, [2**32 - 1])}, id="uint32"),
    pytest.param("identities", "of_uint64", {"x": (np.uint64, [2**64 - 1])}, id="uint64"),
    pytest.param("identities", "of_bool", {"x": (np.bool_, [[True], [False]])}, id="bool"),
    pytest.param("identities", "of_string", {"x": (object, ["", '"\\\n', "日本"])}, id="string"),
    pytest.param("identities", "of_half", {"x": (np.float16, [0.5, -2.0])}, id="half"),
]


@pytest.mark.parametrize(("model", "signature", "inputs"), ASKED)
def test_both_apis_compute_the_same(grpc_client, http_client, model, signature, inputs):
    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for alias, (dtype, value) in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(np.array(value, dtype)))
    columns = {alias: value for alias, (_, value) in inputs.items()}

    by_grpc = grpc_client.prediction.Predict(request)
    by_rest = http_client.post(
        f"/v1/models/{model}:predict", {"signature_name": signature, "inputs": columns}
    )

    outputs = {alias: tf.make_ndarray(proto) for alias, proto in by_grpc.outputs.items()}
    found = by_rest.json["outputs"]
    columns = found if len(outputs) > 1 else {next(iter(outputs)): found}
    assert columns.keys() == outputs.keys()
    for alias, array in outputs.items():
        np.testing.assert_array_equal(as_typed(columns[alias], array), array)


def as_typed(value, like: np.ndarray) -> np.ndarray:
    if like.dtype != object:
        return np.array(value, like.dtype).reshape(like.shape)
    return np.array([text.encode() for text in np.ravel(value)], object).reshape(like.shape)


@pytest.mark.parametrize(
    ("path", "spec", "refusal"),
    [
        ("nobody", {"name": "nobody"}, (404, grpc.StatusCode.NOT_FOUND)),
        (
            "default/versions/9",
            {"name": "default", "version": {"value": 9}},
            (404, grpc.StatusCode.NOT_FOUND),
        ),
        (
            "default/labels/x",
            {"name": "default", "version_label": "x"},
            (400, grpc.StatusCode.INVALID_ARGUMENT),
        ),
    ],
)
def test_both_apis_refuse_with_the_same_words(grpc_client, http_client, path, spec, refusal):
    request = PredictRequest(model_spec=spec)

    by_rest = http_client.post(f"/v1/models/{path}:predict", json.dumps({"instances": [1]}))
    with pytest.raises(grpc.RpcError) as by_grpc:
        grpc_client.prediction.Predict(request)

    assert (by_rest.status, by_grpc.value.code()) == refusal
    assert by_rest.json == {"error": by_grpc.value.details()}
