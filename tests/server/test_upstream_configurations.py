"""What tensorflow_model_server's own integration test is about: other models, files and flags."""

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.clients import GrpcClient
from server.upstream_server import UpstreamServer

UNAVAILABLE, NOT_FOUND = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND


def models(*entries: tuple[str, Path, str]) -> str:
    """The text of a config file: name, base path and more fields of each model."""
    configs = "".join(
        f'config {{ name: "{name}" base_path: "{path}" model_platform: "tensorflow" {more} }}\n'
        for name, path, more in entries
    )
    return f"model_config_list {{\n{configs}}}"


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


def test_a_model_of_tensorflow_2_answers_with_defaults(start, model_folders):
    server = start(
        "--model_name=default", f"--model_base_path={model_folders / 'with_default'}"
    ).wait_until_up()

    sent = server.predict("default")
    left_out = server.grpc.prediction.Predict(
        PredictRequest(model_spec={"name": "default"}), timeout=180
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

    answer = server.grpc.prediction.Predict(request, timeout=180)

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

    output, errors = server.process.communicate(timeout=180)

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

    answer = server.grpc.model.HandleReloadConfigRequest(request, timeout=180)

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
    answer = client.model.GetModelStatus(request, timeout=180)
    client.close()

    assert second.process.poll() is None
    assert len(answer.model_version_status) == 1
