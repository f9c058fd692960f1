"""The command ``model-server`` as an operating system sees it."""

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.clients import GrpcClient, HttpClient
from server.conftest import free_port

# Some seconds of work.
ROUNDS = 200_000
METRICS = "/monitoring/prometheus/metrics"

COMMAND = str(Path(sys.executable).with_name("model-server"))


class Running:
    """One process of the command, with its REST client."""

    def __init__(self, *flags: str) -> None:
        self.grpc_port = free_port()
        rest_port = free_port()
        listen = (f"--port={self.grpc_port}", f"--rest_api_port={rest_port}")
        self.process = subprocess.Popen([COMMAND, *listen, *flags])
        self.http = HttpClient(rest_port)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=180)


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts the command with flags; what still runs afterwards is killed."""
    started: list[Running] = []

    def run(*flags: str) -> Running:
        started.append(Running(*flags))
        return started[-1]

    yield run
    for running in started:
        running.process.kill()
        running.process.wait()


def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=180)


def test_a_model_is_served_until_sigterm(start, model_folders):
    running = start("--model_name=two", f"--model_base_path={model_folders / 'two'}")
    early = running.http.wait_until("/healthz", 200)
    ready = running.http.wait_until_ready()

    grpc_client = GrpcClient(f"127.0.0.1:{running.grpc_port}")
    asked = PredictRequest()
    asked.model_spec.name = "two"
    asked.inputs["x"].dtype = 1
    asked.inputs["x"].float_val.append(2.0)
    by_grpc = grpc_client.prediction.Predict(asked)
    grpc_client.close()
    by_rest = running.http.post("/v1/models/two:predict", {"inputs": 2.0})

    assert early.text == "ok"
    assert ready.json["models"][0]["message"] == "version 2 is available"
    assert by_grpc.outputs["y"].float_val == [4.0]
    assert by_rest.json == {"outputs": 4.0}
    assert running.end() == 0


def test_sigterm_waits_for_the_answers_under_way(start, model_folders):
    running = start("--model_name=slow", f"--model_base_path={model_folders / 'slow'}")
    running.http.wait_until_ready()
    grpc_client = GrpcClient(f"127.0.0.1:{running.grpc_port}")
    asked = PredictRequest()
    asked.model_spec.name = "slow"
    asked.inputs["x"].CopyFrom(TensorProto(dtype=1, float_val=[2.0]))
    asked.inputs["rounds"].CopyFrom(TensorProto(dtype=9, int64_val=[ROUNDS]))
    body = {"inputs": {"x": 2.0, "rounds": ROUNDS}}

    with ThreadPoolExecutor() as pool:
        by_rest = pool.submit(running.http.post, "/v1/models/slow:predict", body)
        by_grpc = grpc_client.prediction.Predict.future(asked)
        running.http.wait_for(
            METRICS,
            lambda answer: (
                'in_flight_requests{entrypoint="GRPC"} 1\n' in answer.text
                and 'in_flight_requests{entrypoint="REST"} 1\n' in answer.text
            ),
        )
        code = running.end()

    assert by_grpc.result().outputs["y"].float_val == [2.0]
    assert by_rest.result().json == {"outputs": 2.0}
    assert code == 0
    grpc_client.close()


def test_a_missing_version_keeps_the_process_up_and_is_said_by_readyz(start, model_folders):
    running = start(
        "--model_name=two",
        f"--model_base_path={model_folders / 'two'}",
        "--model_version_policy=specific { versions: 3 }",
    )
    running.http.wait_until("/readyz", 503)
    answer = running.http.wait_until_reason("VersionNotFound")

    assert answer.json == {
        "ready": False,
        "models": [
            {
                "name": "two",
                "ready": False,
                "reason": "VersionNotFound",
                "message": f"version 3 is not under {model_folders / 'two'}; found versions 1, 2",
            }
        ],
    }
    assert running.http.get("/healthz").status == 200
    assert running.end() == 0


def test_sigterm_during_the_start_ends_it(start, tmp_path):
    running = start("--model_name=m", f"--model_base_path={tmp_path / 'nowhere'}")
    running.http.wait_until("/healthz", 200)

    assert running.end() == 0


def test_the_version_is_printed():
    ended = typed("--version")

    assert ended.returncode == 0
    assert ended.stdout.startswith("TensorFlow ModelServer: ")
    assert "\nTensorFlow Library: 2." in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            "Failed to start server. Error: INVALID_ARGUMENT: Both server_options.model_base_path"
            " and server_options.model_config_file are empty!",
        ),
        (["--port=x"], '--port must be an integer, not "x"'),
        (["--model_config_file=/nonexistent"], "/nonexistent: No such file or directory"),
        (
            ["--model_base_path=relative"],
            "Failed to start server. Error: INVALID_ARGUMENT: Expected model default to have an"
            " absolute path or URI; got base_path()=relative",
        ),
    ],
    ids=["no model", "a bad value", "no config file", "a relative path"],
)
def test_a_command_line_that_cannot_be_ends_with_255_and_says_why(arguments, message):
    ended = typed(*arguments)

    assert ended.returncode == 255
    assert message in ended.stdout


def test_a_port_in_use_is_named(tmp_path):
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        ended = typed(f"--model_base_path={tmp_path}", f"--port={port}")

    assert ended.returncode == 255
    assert str(port) in ended.stdout


def test_wrong_flags_are_answered_without_tensorflow():
    ended = subprocess.run(
        [sys.executable, "-X", "importtime", COMMAND, "--port=x"],
        capture_output=True,
        text=True,
        timeout=180,
    )

    assert ended.returncode == 255
    assert "tensorflow" not in ended.stderr
