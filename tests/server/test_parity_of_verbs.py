"""Classify, Regress, metadata and status tell the same over gRPC and over REST."""

import json
from base64 import b64encode
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf import json_format
from tensorflow.core.example.example_pb2 import Example
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

HTTP = {
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
}
CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"
MODELS = ["classifier", "counter", "default", "identities", "pair", "slow", "two", "with_default"]

# Examples as JSON, and a context or None
ONE = ([{"x": 2.0}], None)
THREE = ([{"x": 2.0}, {"x": -1.5, "x2": 4.0}, {"x": 1e30}], None)
WORDS = ([{"x": 1.0, "word": "ü"}, {"x": [0.1], "word": ["b"]}, {}], None)
CONTEXT = ([{}, {"x": 3.0}], {"x": 2.0, "word": "shared"})
NO_FLOAT = ([{"x": 2}], None)


def feature(value: Any) -> dict[str, Any]:
    """A Feature in protobuf's JSON, of the kind that the REST API takes this value for."""
    values = value if isinstance(value, list) else [value]
    if isinstance(values[0], str):
        return {"bytes_list": {"value": [b64encode(text.encode()).decode() for text in values]}}
    kind = "float_list" if isinstance(values[0], float) else "int64_list"
    return {kind: {"value": values}}


def example(features: dict[str, Any]) -> Example:
    made = {name: feature(value) for name, value in features.items()}
    return json_format.ParseDict({"features": {"feature": made}}, Example())


def as_input(examples, context) -> Input:
    made = [example(features) for features in examples]
    if context is None:
        return Input(example_list={"examples": made})
    return Input(example_list_with_context={"examples": made, "context": example(context)})


def body(signature: str, examples, context) -> str:
    asked = {"signature_name": signature, "examples": examples}
    return json.dumps(asked if context is None else {**asked, "context": context})


def classes(result) -> list[Any]:
    return [
        [(entry.label, entry.score) for entry in classified.classes]
        for classified in result.classifications
    ]


def numbers(result) -> list[float]:
    return [regression.value for regression in result.regressions]


def told_classes(results: list[Any]) -> list[Any]:
    return [[(label, np.float32(score).item()) for label, score in row] for row in results]


def told_numbers(results: list[float]) -> list[float]:
    return [np.float32(value).item() for value in results]


# The request, the gRPC method, and how the results of REST and of gRPC are read.
VERBS = {
    "classify": (ClassificationRequest, "Classify", told_classes, classes),
    "regress": (RegressionRequest, "Regress", told_numbers, numbers),
}


@pytest.mark.parametrize(
    ("verb", "model", "signature", "asked"),
    [
        ("classify", "default", "classify_x_to_y", ONE),
        ("classify", "default", "classify_x_to_y", THREE),
        ("classify", "two", "classify_x_to_y", ONE),
        ("classify", "classifier", "both", WORDS),
        ("classify", "classifier", "labels", WORDS),
        ("classify", "classifier", "scores", WORDS),
        ("classify", "classifier", "both", CONTEXT),
        ("regress", "default", "regress_x_to_y", ONE),
        ("regress", "default", "regress_x_to_y2", THREE),
        ("regress", "two", "regress_x_to_y", ONE),
        ("regress", "classifier", "flat", WORDS),
        ("regress", "classifier", "column", WORDS),
        ("regress", "classifier", "column", CONTEXT),
    ],
)
def test_both_answer_with_the_same_results(running, verb, model, signature, asked):
    kind, method, told, results = VERBS[verb]
    spec = {"name": model, "signature_name": signature}

    by_grpc = getattr(running.grpc.prediction, method)(
        kind(model_spec=spec, input=as_input(*asked))
    )
    by_rest = running.http.post(f"/v1/models/{model}:{verb}", body(signature, *asked))

    assert told(by_rest.json["results"]) == results(by_grpc.result)


@pytest.mark.parametrize("asked", [ONE, THREE])
def test_multi_inference_tells_what_each_verb_tells(grpc_client, http_client, asked):
    request = MultiInferenceRequest(input=as_input(*asked))
    for signature, method in [("regress_x_to_y", REGRESS), ("classify_x_to_y", CLASSIFY)]:
        spec = {"name": "default", "signature_name": signature}
        request.tasks.add(model_spec=spec, method_name=method)

    regressed, classified = grpc_client.prediction.MultiInference(request).results
    by_rest = [
        http_client.post("/v1/models/default:regress", body("regress_x_to_y", *asked)),
        http_client.post("/v1/models/default:classify", body("classify_x_to_y", *asked)),
    ]

    assert told_numbers(by_rest[0].json["results"]) == numbers(regressed.regression_result)
    assert told_classes(by_rest[1].json["results"]) == classes(classified.classification_result)


UNFIT_TO_CLASSIFY = ["mismatch", "swapped", "rank1", "short", "neither", "feeds", "two_inputs"]
UNFIT_TO_REGRESS = ["wide", "short_flat", "text", "no_outputs", "no_inputs", "both"]
TWO = ([{"x": 1.0}, {"x": 2.0}], None)
REFUSED = [
    *[("classify", "classifier", signature, TWO) for signature in UNFIT_TO_CLASSIFY],
    *[("regress", "classifier", signature, TWO) for signature in UNFIT_TO_REGRESS],
    *[(verb, "default", "none", ONE) for verb in ("classify", "regress")],
    *[(verb, "nobody", "", ONE) for verb in ("classify", "regress")],
    ("regress", "default", "regress_x_to_y", NO_FLOAT),
    ("classify", "default", "classify_x_to_y", ([{"x2": 1.0}], None)),
    ("classify", "default", "serving_default", ONE),
]


@pytest.mark.parametrize(("verb", "model", "signature", "asked"), REFUSED)
def test_both_refuse_with_the_same_words(running, verb, model, signature, asked):
    kind, method, *_ = VERBS[verb]
    spec = {"name": model, "signature_name": signature}

    with pytest.raises(grpc.RpcError) as by_grpc:
        getattr(running.grpc.prediction, method)(kind(model_spec=spec, input=as_input(*asked)))
    by_rest = running.http.post(f"/v1/models/{model}:{verb}", body(signature, *asked))

    assert by_rest.json == {"error": by_grpc.value.details()}
    assert by_rest.status == HTTP[by_grpc.value.code()]


@pytest.mark.parametrize("model", MODELS)
def test_metadata(grpc_client, http_client, model):
    request = GetModelMetadataRequest(model_spec={"name": model}, metadata_field=["signature_def"])

    by_grpc = grpc_client.prediction.GetModelMetadata(request)
    by_rest = http_client.get(f"/v1/models/{model}/metadata").json

    expected = SignatureDefMap()
    by_grpc.metadata["signature_def"].Unpack(expected)
    found = json_format.ParseDict(by_rest["metadata"]["signature_def"], SignatureDefMap())
    assert found == expected
    assert by_rest["model_spec"] == {
        "name": model,
        "signature_name": "",
        "version": str(by_grpc.model_spec.version.value),
    }


@pytest.mark.parametrize("model", MODELS)
def test_status(grpc_client, http_client, model):
    by_grpc = grpc_client.model.GetModelStatus(GetModelStatusRequest(model_spec={"name": model}))
    by_rest = http_client.get(f"/v1/models/{model}").json

    # Names of codes are printed where protobuf prints a number's default.
    for status in by_rest["model_version_status"]:
        assert status.pop("status") == {"error_code": "OK", "error_message": ""}
    assert by_rest["model_version_status"] == [
        {"version": str(status.version), "state": "AVAILABLE"}
        for status in by_grpc.model_version_status
    ]


@pytest.mark.parametrize(
    ("path", "spec"),
    [
        ("nobody", {"name": "nobody"}),
        ("default/versions/9", {"name": "default", "version": {"value": 9}}),
    ],
)
def test_status_and_metadata_are_refused_alike(grpc_client, http_client, path, spec):
    with pytest.raises(grpc.RpcError) as status:
        grpc_client.model.GetModelStatus(GetModelStatusRequest(model_spec=spec))
    with pytest.raises(grpc.RpcError) as metadata:
        grpc_client.prediction.GetModelMetadata(
            GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"])
        )

    by_rest = http_client.get(f"/v1/models/{path}"), http_client.get(f"/v1/models/{path}/metadata")

    assert [answer.status for answer in by_rest] == [404, 404]
    assert by_rest[0].json == {"error": status.value.details()}
    assert by_rest[1].json == {"error": metadata.value.details()}
