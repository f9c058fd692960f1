"""The signatures of a model, over both APIs."""

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    SignatureDefMap,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def ask(client, text: str):
    return client.prediction.GetModelMetadata(text_format.Parse(text, GetModelMetadataRequest()))


def test_all_signatures_are_told_as_the_model_has_them(grpc_client):
    answer = ask(grpc_client, 'model_spec { name: "default" } metadata_field: "signature_def"')

    definitions = SignatureDefMap()
    packed = answer.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    assert packed.Unpack(definitions)
    assert sorted(definitions.signature_def) == [
        "classify_x2_to_y3",
        "classify_x_to_y",
        "regress_x2_to_y3",
        "regress_x_to_y",
        "regress_x_to_y2",
        "serving_default",
    ]
    assert definitions.signature_def["serving_default"].inputs["x"].name == "x:0"
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("default", 123)
    assert answer.model_spec.signature_name == ""


@pytest.mark.parametrize(
    ("text", "code", "details"),
    [
        ("", INVALID, "Missing ModelSpec"),
        (
            "model_spec {}",
            INVALID,
            "GetModelMetadataRequest must specify at least one metadata_field",
        ),
        (
            'model_spec {} metadata_field: "some_stuff"',
            INVALID,
            "Metadata field some_stuff is not supported",
        ),
        (
            'model_spec {} metadata_field: "signature_def"',
            INVALID,
            "ModelSpec has no name specified.",
        ),
        (
            'model_spec { name: "nobody" } metadata_field: "signature_def"',
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Latest(nobody)",
        ),
    ],
)
def test_what_cannot_be_told_says_why(grpc_client, text, code, details):
    with pytest.raises(grpc.RpcError) as raised:
        ask(grpc_client, text)

    assert (raised.value.code(), raised.value.details()) == (code, details)


def test_rest_tells_the_signatures_as_json(http_client):
    answer = http_client.get("/v1/models/with_default/versions/1/metadata")

    assert answer.status == 200
    assert answer.text.startswith(
        '{\n"model_spec":{\n "name": "with_default",\n "signature_name": "",\n "version": "1"\n}\n,'
        '\n"metadata": {"signature_def": {\n "signature_def": {\n'
    )
    signature = answer.json["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False},
        "name": "serving_default_x:0",
    }
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["defaults"]["x"]["float_val"] == [0.0]


def test_rest_prints_what_is_empty(http_client):
    answer = http_client.get("/v1/models/default/metadata")

    signature = answer.json["metadata"]["signature_def"]["signature_def"]["regress_x_to_y"]
    assert signature["defaults"] == {}


def test_rest_does_not_know_metadata_of_what_is_not_loaded(http_client):
    answer = http_client.get("/v1/models/nobody/metadata")

    assert answer.status == 404
    assert answer.json == {"error": "Servable not found for request: Latest(nobody)"}
