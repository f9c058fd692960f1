"""Models of every platform are asked in the same ways, over gRPC and over REST."""

import re
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest, SignatureDefMap
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.conftest import Running, serve
from server.formats import warm_ups
from server.platforms.kinds import KINDS, Kind

each_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Running:
    """A server with version 7 of a model of each platform, named after it."""
    root, entries = tmp_path_factory.mktemp("platforms"), ""
    for kind in KINDS:
        version = root / kind.platform / "7"
        kind.make(version)
        warm_ups.write(version, warm_ups.predict(**{kind.alias: kind.tensor(kind.asked)}))
        entries += kind.config(root)
    running = serve(entries, servable_platforms="python")
    running.http.wait_until_ready()
    yield running
    running.end()


def predicted(running: Running, kind: Kind, **spec: Any) -> Any:
    request = PredictRequest(model_spec={"name": kind.platform, **spec})
    request.inputs[kind.alias].CopyFrom(kind.tensor(kind.asked))
    return running.grpc.prediction.Predict(request)


@each_kind
def test_predict_over_grpc(running, kind):
    answer = predicted(running, kind)

    found = {alias: tf.make_ndarray(proto).tolist() for alias, proto in answer.outputs.items()}
    assert found == {alias: as_bytes(values) for alias, values in kind.outputs}
    assert answer.model_spec.version.value == 7
    assert answer.model_spec.signature_name == "serving_default"


def as_bytes(values: tuple[Any, ...]) -> list[Any]:
    return [
        value.encode()
        if isinstance(value, str)
        else np.float32(value).item()
        if isinstance(value, float)
        else value
        for value in values
    ]


@each_kind
def test_predict_over_rest_in_columns(running, kind):
    answer = running.http.post(
        f"/v1/models/{kind.platform}:predict", {"inputs": {kind.alias: kind.asked}}
    )

    columns = {alias: list(values) for alias, values in kind.outputs}
    one = next(iter(columns.values()))
    assert answer.json == {"outputs": columns if len(columns) > 1 else one}


@each_kind
def test_predict_over_rest_in_rows(running, kind):
    answer = running.http.post(
        f"/v1/models/{kind.platform}/versions/7:predict", {"instances": kind.asked}
    )

    columns = dict(kind.outputs)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    bare = [value for row in rows for value in row.values()]
    assert answer.json == {"predictions": rows if len(columns) > 1 else bare}


@each_kind
def test_both_apis_tell_the_same_metadata(running, kind):
    by_rest = running.http.get(f"/v1/models/{kind.platform}/metadata")
    by_grpc = running.grpc.prediction.GetModelMetadata(
        GetModelMetadataRequest(
            model_spec={"name": kind.platform}, metadata_field=["signature_def"]
        )
    )

    definitions = SignatureDefMap()
    by_grpc.metadata["signature_def"].Unpack(definitions)
    told = SignatureDefMap()
    json_format.ParseDict(
        {"signature_def": by_rest.json["metadata"]["signature_def"]["signature_def"]}, told
    )
    signature = definitions.signature_def["serving_default"]
    assert told == definitions
    assert list(signature.inputs) == [kind.alias]
    assert set(signature.outputs) == {alias for alias, _ in kind.outputs}
    assert signature.method_name == "tensorflow/serving/predict"


@each_kind
def test_both_apis_tell_the_same_status(running, kind):
    by_rest = running.http.get(f"/v1/models/{kind.platform}")
    by_grpc = running.grpc.model.GetModelStatus(
        GetModelStatusRequest(model_spec={"name": kind.platform})
    )

    (status,) = by_rest.json["model_version_status"]
    assert (status["version"], status["state"]) == ("7", "AVAILABLE")
    assert json_format.MessageToDict(by_grpc)["model_version_status"] == [
        {"version": "7", "state": "AVAILABLE", "status": {}}
    ]


@each_kind
def test_every_platform_is_warmed_up_and_counted(running, kind):
    predicted(running, kind)

    page = running.http.get("/monitoring/prometheus/metrics").text

    warmed = rf':model_warmup_records_read\{{model_path="\S+/{kind.platform}/7",status="OK"\}} 1\n'
    counted = rf':request_count\{{model_name="{kind.platform}",status="OK"\}} [1-9]'
    assert re.search(warmed, page)
    assert re.search(counted, page)


@each_kind
@pytest.mark.parametrize(
    ("spec", "code", "details"),
    [
        (
            {"signature_name": "other"},
            grpc.StatusCode.FAILED_PRECONDITION,
            'Serving signature key "other" not found.',
        ),
        (
            {"version": {"value": 8}},
            grpc.StatusCode.NOT_FOUND,
            "Servable not found for request: Specific({name}, 8)",
        ),
    ],
)
def test_every_platform_is_refused_alike(running, kind, spec, code, details):
    with pytest.raises(grpc.RpcError) as raised:
        predicted(running, kind, **spec)

    assert raised.value.code() is code
    assert raised.value.details() == details.replace("{name}", kind.platform)


@each_kind
def test_a_tensor_of_another_type_is_refused_by_both_apis(running, kind):
    request = PredictRequest(model_spec={"name": kind.platform})
    request.inputs[kind.alias].CopyFrom(tf.make_tensor_proto([True]))

    with pytest.raises(grpc.RpcError) as by_grpc:
        running.grpc.prediction.Predict(request)
    by_rest = running.http.post(f"/v1/models/{kind.platform}:predict", {"instances": [[True]]})

    assert by_grpc.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert by_grpc.value.details().startswith("Expects arg[0] to be ")
    assert by_grpc.value.details().endswith(" but bool is provided")
    assert by_rest.status == 400
    assert by_rest.json["error"].startswith(
        "Failed to process element: 0 of 'instances' list."
        " Error: INVALID_ARGUMENT: JSON Value: true Type: True is not of expected type: "
    )
