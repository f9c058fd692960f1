"""Each port of the native transport answers both APIs, over HTTP/1.1 and HTTP/2, where it may."""

import json
import logging
import subprocess

import grpc
import pytest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from server.clients import GrpcClient, HttpClient
from server.conftest import Running, free_port, model_config
from server.identities import Identity, config_file
from server.transports import needs_extension

pytestmark = needs_extension
PREDICT = "/v1/models/default:predict"
BODY = {"instances": [1.0, 2.0]}
ANSWER = {"predictions": [2.5, 3.0]}


@pytest.fixture
def native(started, model_folders):
    """Starts servers of one model over the native transport."""

    def start(**options) -> Running:
        return started(model_config(model_folders / "default"), transport="native", **options)

    return start


def other_client(running: Running) -> GrpcClient:
    """Speaks gRPC to the port of REST."""
    return GrpcClient(f"127.0.0.1:{running.http.port}")


def test_the_port_of_each_api_answers_the_other_one(native, quick: PredictRequest):
    running = native()
    running.http.wait_until_ready()
    client = other_client(running)
    port = int(running.grpc.target.rpartition(":")[2])

    assert HttpClient(port).post(PREDICT, BODY).json == ANSWER
    assert client.prediction.Predict(quick).outputs["y"].float_val == [2.5, 3.0]
    client.close()


def test_the_same_number_for_both_opens_one_port(native, quick: PredictRequest):
    port = free_port()
    running = native(port=port, rest_api_port=port)
    running.http.wait_until_ready()

    assert running.http.port == port
    assert running.http.post(PREDICT, BODY).json == ANSWER
    assert running.grpc.prediction.Predict(quick).outputs["y"].float_val == [2.5, 3.0]


def test_rest_is_answered_over_http_2(native, tmp_path):
    running = native()
    running.http.wait_until_ready()
    url = f"http://127.0.0.1:{running.http.port}{PREDICT}"
    large = tmp_path / "large.json"
    large.write_text(json.dumps({"instances": [1.0] * 300_000}))

    small = asked_by_curl(url, "-d", json.dumps(BODY))
    answers = asked_by_curl(url, "-d", f"@{large}")

    assert json.loads(small) == ANSWER
    assert json.loads(answers) == {"predictions": [2.5] * 300_000}


def asked_by_curl(url: str, *more: str) -> bytes:
    command = ["curl", "-sS", "--http2-prior-knowledge", "--max-time", "60", *more, url]
    return subprocess.run(command, capture_output=True, check=True).stdout


def test_a_port_of_grpc_does_not_answer_rest_that_is_turned_off(native):
    running = native(rest_api_port=0)
    port = int(running.grpc.target.rpartition(":")[2])

    with pytest.raises(OSError):
        HttpClient(port).get("/healthz")


def test_what_certificates_protect_is_not_open_by_the_other_port(native, tmp_path, quick):
    running = native(ssl_config_file=config_file(tmp_path, Identity(), Identity()))
    running.http.wait_until_ready()
    client = other_client(running)

    with pytest.raises(grpc.RpcError) as raised:
        client.prediction.Predict(quick)
    client.close()

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_one_number_for_both_needs_the_same_certificates(native, tmp_path, caplog):
    port = free_port()
    with caplog.at_level(logging.ERROR):
        native(
            port=port,
            rest_api_port=port,
            ssl_config_file=config_file(tmp_path, Identity()),
        )

    assert "server_options.http_port cannot be same as grpc_port" in caplog.text
