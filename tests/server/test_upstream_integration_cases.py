"""What tensorflow_model_server's own integration test is about, asked of the command as it asks.

The readiness of the server is taken from NOT_FOUND for a model that does not exist, and every
request that follows is sent once.
"""

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from tensorflow.core.example.example_pb2 import Example
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from server.clients import GrpcClient
from server.upstream_server import UpstreamServer

METRICS = "/monitoring/prometheus/metrics"
REGRESS, CLASSIFY = "tensorflow/serving/regress", "tensorflow/serving/classify"


def example(x: float) -> Example:
    made = Example()
    made.features.feature["x"].float_list.value.append(x)
    return made


@pytest.fixture(scope="module")
def default(model_folders, tmp_path_factory) -> Iterator[UpstreamServer]:
    """A server of the one model ``default``, with metrics and a UNIX socket."""
    folder = tmp_path_factory.mktemp("upstream")
    (folder / "monitoring").write_text("prometheus_config { enable: true }")
    server = UpstreamServer(
        "--model_name=default",
        f"--model_base_path={model_folders / 'default'}",
        f"--monitoring_config_file={folder / 'monitoring'}",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=2000,grpc.lb_policy_name=grpclb",
        socket=str(folder / "socket"),
    )
    yield server.wait_until_up()
    server.end()


def test_predict_over_tcp(default):
    answer = default.predict("default")

    assert answer.outputs["y"].float_val == [3.0]
    assert not answer.outputs["y"].tensor_shape.dim
    assert answer.model_spec.version.value == 123
    assert answer.model_spec.signature_name == "serving_default"


def test_predict_over_the_unix_socket(default):
    client = GrpcClient(f"unix:{default.socket}")
    request = PredictRequest(model_spec={"name": "default"})
    request.inputs["x"].dtype = 1
    request.inputs["x"].float_val.append(2.0)

    answer = client.prediction.Predict(request, timeout=180)

    assert answer.outputs["y"].float_val == [3.0]
    client.close()


def test_classify(default):
    request = ClassificationRequest(
        model_spec={"name": "default", "signature_name": "classify_x_to_y"}
    )
    request.input.example_list.examples.append(example(2.0))

    answer = default.grpc.prediction.Classify(request, timeout=180)

    (classified,) = answer.result.classifications
    assert [(entry.label, entry.score) for entry in classified.classes] == [("", 3.0)]
    assert answer.model_spec.signature_name == "classify_x_to_y"
    assert answer.model_spec.version.value == 123


def test_regress(default):
    request = RegressionRequest(model_spec={"name": "default", "signature_name": "regress_x_to_y"})
    request.input.example_list.examples.append(example(2.0))

    answer = default.grpc.prediction.Regress(request, timeout=180)

    assert [regression.value for regression in answer.result.regressions] == [3.0]
    assert answer.model_spec.signature_name == "regress_x_to_y"


def test_multi_inference(default):
    request = MultiInferenceRequest()
    request.tasks.add(
        model_spec={"name": "default", "signature_name": "regress_x_to_y"}, method_name=REGRESS
    )
    request.tasks.add(
        model_spec={"name": "default", "signature_name": "classify_x_to_y"}, method_name=CLASSIFY
    )
    request.input.example_list.examples.append(example(2.0))

    regressed, classified = default.grpc.prediction.MultiInference(request, timeout=180).results

    assert regressed.regression_result.regressions[0].value == 3.0
    assert classified.classification_result.classifications[0].classes[0].score == 3.0
    assert regressed.model_spec.version.value == classified.model_spec.version.value == 123


def test_the_status_of_the_model(default):
    request = GetModelStatusRequest(model_spec={"name": "default"})

    (version,) = default.grpc.model.GetModelStatus(request, timeout=180).model_version_status

    assert (version.version, version.state) == (123, version.AVAILABLE)
    assert (version.status.error_code, version.status.error_message) == (0, "")


def test_the_metadata_of_the_model(default):
    request = GetModelMetadataRequest(
        model_spec={"name": "default"}, metadata_field=["signature_def"]
    )

    answer = default.grpc.prediction.GetModelMetadata(request, timeout=180)

    signatures = SignatureDefMap()
    assert answer.model_spec.version.value == 123
    assert answer.metadata["signature_def"].Unpack(signatures)
    assert {"serving_default", "regress_x_to_y", "classify_x_to_y"} <= set(signatures.signature_def)


REST = [
    pytest.param(
        ":predict",
        {"instances": [2.0, 3.0, 4.0]},
        {"predictions": [3.0, 3.5, 4.0]},
        id="predict in rows",
    ),
    pytest.param(
        ":predict",
        {"inputs": [2.0, 3.0, 4.0]},
        {"outputs": [3.0, 3.5, 4.0]},
        id="predict in columns",
    ),
    pytest.param(
        ":classify",
        {"signature_name": "classify_x_to_y", "examples": [{"x": 2.0}]},
        {"results": [[["", 3.0]]]},
        id="classify",
    ),
    pytest.param(
        ":regress",
        {"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]},
        {"results": [3.0]},
        id="regress",
    ),
]


@pytest.mark.parametrize(("verb", "body", "expected"), REST)
def test_inference_over_rest(default, verb, body, expected):
    answer = default.http.post(f"/v1/models/default{verb}", body)

    assert (answer.status, answer.json) == (200, expected)
    assert answer.headers["Content-Type"].startswith("application/json")


def test_the_status_over_rest(default):
    answer = default.http.get("/v1/models/default")

    assert answer.json == {
        "model_version_status": [
            {
                "version": "123",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def test_the_metadata_over_rest_is_that_of_grpc(default):
    request = GetModelMetadataRequest(
        model_spec={"name": "default"}, metadata_field=["signature_def"]
    )
    signatures = SignatureDefMap()
    by_grpc = default.grpc.prediction.GetModelMetadata(request, timeout=180)
    by_grpc.metadata["signature_def"].Unpack(signatures)

    by_rest = default.http.get("/v1/models/default/metadata").json

    told = by_rest["metadata"]["signature_def"]["signature_def"]
    expected = MessageToDict(
        signatures, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    assert told == expected["signature_def"]
    assert by_rest["model_spec"] == {"name": "default", "signature_name": "", "version": "123"}


def test_metrics_for_prometheus(default):
    default.http.post("/v1/models/default:predict", {"instances": [2.0]})
    default.http.post("/v1/models/default:predict", "no JSON")

    page = default.http.get(METRICS).text

    assert ':tensorflow:serving:request_count{model_name="default",status="OK"} ' in page
    assert (
        ':tensorflow:serving:request_count{model_name="default",status="INVALID_ARGUMENT"}' in page
    )
    assert "# TYPE :tensorflow:serving:request_latency histogram" in page


def test_sessions_are_not_served(default):
    call = default.grpc.channel.unary_unary("/tensorflow.serving.SessionService/SessionRun")

    with pytest.raises(grpc.RpcError) as raised:
        call(b"", timeout=180)

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("size", [1_000_000, 5_000_000], ids=["4 MB", "20 MB"])
def test_large_messages_are_taken(default, size):
    request = PredictRequest(model_spec={"name": "default"})
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=size)
    request.inputs["x"].tensor_content = b"\0\0\0\x40" * size
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    channel = grpc.insecure_channel(default.grpc.target, options)
    call = channel.unary_unary(
        "/tensorflow.serving.PredictionService/Predict",
        PredictRequest.SerializeToString,
        lambda data: len(data),
    )

    with channel:
        assert call(request, timeout=180) > 4 * size
