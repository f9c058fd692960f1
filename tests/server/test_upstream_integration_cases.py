"""What tensorflow_model_server's own integration test is about, asked of the command as it asks.

The readiness of the server is taken from NOT_FOUND for a model that does not exist, and every
request that follows is sent once.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

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
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from server.clients import GrpcClient
from server.upstream_server import UpstreamServer

METRICS = "/monitoring/prometheus/metrics"
REGRESS, CLASSIFY = "tensorflow/serving/regress", "tensorflow/serving/classify"
UNAVAILABLE, NOT_FOUND = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND


def example(x: float) -> Example:
    made = Example()
    made.features.feature["x"].float_list.value.append(x)
    return made


def models(*entries: tuple[str, Path, str]) -> str:
    """The text of a config file: name, base path and more fields of each model."""
    configs = "".join(
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" {more} }}\n'
        for name, path, more in entries
    )
    return f"model_config_list {{\n{configs}}}"


@pytest.fixture(scope="module")
def default(model_folders, tmp_path_factory) -> Iterator[UpstreamServer]:
    """A server of the one model ``default``, with metrics and a UNIX socket."""
    folder = tmp_path_factory.mktemp("upstream")
    (folder / "monitoring").write_text("prometheus_config { enable: true }")
    server = UpstreamServer(
        "--model_name=default",
        f"--model_base_path={model_folders / 'default'}",
        f"--monitoring_config_file={folder / 'monitoring'}",
        "--grpc_channel_arguments=grpc.max_connection_age_ms=2000,grpc.lb_policy_name=pick_first",
        socket=str(folder / "socket"),
    )
    yield server.wait_until_up()
    server.end()


@pytest.fixture
def start() -> Iterator[Callable[..., UpstreamServer]]:
    """Starts servers with flags; they end with the test."""
    started: list[UpstreamServer] = []

    def run(*flags: str, socket: str = "") -> UpstreamServer:
        started.append(UpstreamServer(*flags, socket=socket))
        return started[-1]

    yield run
    for server in started:
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

    answer = client.prediction.Predict(request, timeout=5)

    assert answer.outputs["y"].float_val == [3.0]
    client.close()


def test_classify(default):
    request = ClassificationRequest(
        model_spec={"name": "default", "signature_name": "classify_x_to_y"}
    )
    request.input.example_list.examples.append(example(2.0))

    answer = default.grpc.prediction.Classify(request, timeout=5)

    (classified,) = answer.result.classifications
    assert [(entry.label, entry.score) for entry in classified.classes] == [("", 3.0)]
    assert answer.model_spec.signature_name == "classify_x_to_y"
    assert answer.model_spec.version.value == 123


def test_regress(default):
    request = RegressionRequest(model_spec={"name": "default", "signature_name": "regress_x_to_y"})
    request.input.example_list.examples.append(example(2.0))

    answer = default.grpc.prediction.Regress(request, timeout=5)

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

    regressed, classified = default.grpc.prediction.MultiInference(request, timeout=5).results

    assert regressed.regression_result.regressions[0].value == 3.0
    assert classified.classification_result.classifications[0].classes[0].score == 3.0
    assert regressed.model_spec.version.value == classified.model_spec.version.value == 123


def test_the_status_of_the_model(default):
    request = GetModelStatusRequest(model_spec={"name": "default"})

    (version,) = default.grpc.model.GetModelStatus(request, timeout=5).model_version_status

    assert (version.version, version.state) == (123, version.AVAILABLE)
    assert (version.status.error_code, version.status.error_message) == (0, "")


def test_the_metadata_of_the_model(default):
    request = GetModelMetadataRequest(
        model_spec={"name": "default"}, metadata_field=["signature_def"]
    )

    answer = default.grpc.prediction.GetModelMetadata(request, timeout=5)

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
    by_grpc = default.grpc.prediction.GetModelMetadata(request, timeout=5)
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
        call(b"", timeout=5)

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
        assert call(request, timeout=30) > 4 * size


def test_a_model_of_tensorflow_2_answers_with_defaults(start, model_folders):
    server = start(
        "--model_name=default", f"--model_base_path={model_folders / 'with_default'}"
    ).wait_until_up()

    sent = server.predict("default")
    left_out = server.grpc.prediction.Predict(
        PredictRequest(model_spec={"name": "default"}), timeout=5
    )

    assert sent.outputs["y"].float_val == [3.0]
    assert left_out.outputs["y"].float_val == [2.0]


def test_batching_is_accepted_with_its_parameters(start, model_folders, tmp_path):
    file = tmp_path / "batching"
    file.write_text(
        "max_batch_size { value: 128 } batch_timeout_micros { value: 0 }\n"
        "max_enqueued_batches { value: 1000000 } num_batch_threads { value: 8 }"
    )
    server = start(
        "--model_name=default",
        f"--model_base_path={model_folders / 'default'}",
        "--enable_batching",
        f"--batching_parameters_file={file}",
    ).wait_until_up()
    request = PredictRequest(model_spec={"name": "default"})
    request.inputs["x"].dtype = 1
    request.inputs["x"].float_val.extend([2.0, 3.0])
    request.inputs["x"].tensor_shape.dim.add(size=2)

    answer = server.grpc.prediction.Predict(request, timeout=5)

    assert answer.outputs["y"].float_val == [3.0, 3.5]


def test_a_config_file_lists_models_with_labels_and_policies(start, model_folders, tmp_path):
    file = tmp_path / "models"
    labels = 'version_labels { key: "canary" value: 2 }'
    everything = "model_version_policy { all {} }"
    file.write_text(
        models(
            ("half", model_folders / "default", ""),
            ("two", model_folders / "two", f"{everything} {labels}"),
            ("counter", model_folders / "counter", ""),
        )
    )
    server = start(
        f"--model_config_file={file}", "--allow_version_labels_for_unavailable_models"
    ).wait_until_up()

    assert server.predict("half").outputs["y"].float_val == [3.0]
    assert server.predict("two", version=1).outputs["y"].float_val == [3.0]
    assert server.predict("two", label="canary").outputs["y"].float_val == [4.0]
    with pytest.raises(grpc.RpcError) as raised:
        server.predict("half", version=1)
    assert raised.value.code() is NOT_FOUND


def test_a_config_file_that_does_not_parse_ends_the_server_and_is_told_on_stderr(start, tmp_path):
    file = tmp_path / "models"
    file.write_text("improper model config file")
    server = start(f"--model_config_file={file}")

    output, errors = server.process.communicate(timeout=60)

    expected = "Error parsing text-format tensorflow.serving.ModelServerConfig"
    assert expected in errors
    assert expected in output
    assert server.process.returncode == 255


def test_a_broken_model_is_never_taken_for_an_absent_one(start, tmp_path):
    (tmp_path / "bad" / "00000123").mkdir(parents=True)
    server = start("--model_name=default", f"--model_base_path={tmp_path / 'bad'}").wait_until_up()

    with pytest.raises(grpc.RpcError) as raised:
        server.predict("default")

    assert raised.value.code() is UNAVAILABLE
    assert "Could not find SavedModel" in raised.value.details()


def test_the_config_file_is_read_again_when_asked_for(start, model_folders, tmp_path):
    file = tmp_path / "models"
    file.write_text(models(("a", model_folders / "default", "")))
    server = start(
        f"--model_config_file={file}", "--model_config_file_poll_wait_seconds=1"
    ).wait_until_up()
    before = server.predict("a").outputs["y"].float_val

    file.write_text(models(("b", model_folders / "two", "")))
    server.http.wait_for("/v1/models/b", lambda answer: '"AVAILABLE"' in answer.text)
    server.http.wait_for("/v1/models/a", lambda answer: '"END"' in answer.text)

    assert before == [3.0]
    assert server.predict("b").outputs["y"].float_val == [4.0]
    with pytest.raises(grpc.RpcError, match="Servable not found"):
        server.predict("a")


def test_the_config_file_is_read_once_by_default_and_replaced_by_a_request(
    start, model_folders, tmp_path
):
    file = tmp_path / "models"
    file.write_text(models(("a", model_folders / "default", "")))
    server = start(f"--model_config_file={file}").wait_until_up()
    file.write_text(models(("b", model_folders / "two", "")))
    request = ReloadConfigRequest()
    entry = request.config.model_config_list.config.add()
    entry.name, entry.base_path = "c", str(model_folders / "two")
    entry.model_platform = "tensorflow"

    answer = server.grpc.model.HandleReloadConfigRequest(request, timeout=30)

    assert answer.status.error_code == 0
    assert server.predict("c").outputs["y"].float_val == [4.0]
    assert server.http.get("/v1/models/b").status == 404


def test_a_version_that_appears_takes_over(start, model_folders, tmp_path):
    base = tmp_path / "growing"
    base.mkdir()
    (base / "00000001").symlink_to(model_folders / "two" / "1")
    server = start("--model_name=default", f"--model_base_path={base}").wait_until_up()
    before = server.predict("default")

    (base / "00000002").symlink_to(model_folders / "two" / "2")
    server.http.wait_for("/v1/models/default/versions/1", lambda answer: '"END"' in answer.text)
    after = server.predict("default")

    assert (before.model_spec.version.value, before.outputs["y"].float_val) == (1, [3.0])
    assert (after.model_spec.version.value, after.outputs["y"].float_val) == (2, [4.0])


def test_a_socket_of_a_living_server_can_be_taken_over(start, model_folders, tmp_path):
    path = str(tmp_path / "socket")
    flags = ("--model_name=default", f"--model_base_path={model_folders / 'default'}")
    start(*flags, socket=path).wait_until_up()

    second = start("--model_name=second", flags[1], socket=path).wait_until_up()
    client = GrpcClient(f"unix:{path}")
    request = GetModelStatusRequest(model_spec={"name": "second"})
    answer = client.model.GetModelStatus(request, timeout=5)
    client.close()

    assert second.process.poll() is None
    assert len(answer.model_version_status) == 1
