"""Clients that go away in mid-request leave nothing behind: no thread, no place, no file."""

import json
import os
import socket

import grpc
import pytest
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

METRICS = "/monitoring/prometheus/metrics"
# Tenths of a second of work.
ROUNDS = 20_000
NOBODY = ('in_flight_requests{entrypoint="GRPC"} 0\n', 'in_flight_requests{entrypoint="REST"} 0\n')
BODY = json.dumps({"inputs": {"x": 2.0, "rounds": ROUNDS}}).encode()
HEAD = f"POST /v1/models/slow:predict HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n"
REQUEST = PredictRequest(
    model_spec={"name": "slow"},
    inputs={
        "x": TensorProto(dtype=1, float_val=[2.0]),
        "rounds": TensorProto(dtype=9, int64_val=[ROUNDS]),
    },
)


@pytest.fixture(autouse=True)
def nothing_is_left(running):
    """Afterwards no request is at hand, and as many files are open as before, give or take few."""
    running.http.post("/v1/models/slow:predict", {"inputs": {"x": 2.0, "rounds": 1}})
    before = open_files()
    yield
    running.http.wait_for(METRICS, lambda answer: all(line in answer.text for line in NOBODY))
    running.http.wait_for("/healthz", lambda _answer: open_files() <= before + 10)
    answer = running.http.post("/v1/models/slow:predict", {"inputs": {"x": 2.0, "rounds": 1}})
    assert answer.json == {"outputs": 2.0}


def open_files() -> int:
    """Of this process, in which the server runs."""
    return len(os.listdir("/proc/self/fd"))


def test_calls_that_are_cancelled_while_the_model_runs(grpc_client):
    calls = [grpc_client.prediction.Predict.future(REQUEST) for _ in range(40)]
    assert calls[0].result(timeout=180).outputs["y"].float_val == [2.0]

    for call in calls:
        call.cancel()

    assert {call.code() for call in calls} <= {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED}


def test_calls_whose_deadline_passes_while_the_model_runs(grpc_client):
    calls = [grpc_client.prediction.Predict.future(REQUEST, timeout=0.01) for _ in range(40)]

    codes = {call.code() for call in calls}

    assert grpc.StatusCode.DEADLINE_EXCEEDED in codes
    assert codes <= {grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED}


def test_grpc_connections_that_break_while_the_model_runs(grpc_client):
    own = [("grpc.use_local_subchannel_pool", 1)]
    for _ in range(40):
        with grpc.insecure_channel(grpc_client.target, own) as channel:
            predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            predict.future(REQUEST.SerializeToString())


@pytest.mark.parametrize("sent", [HEAD.encode() + BODY, HEAD.encode() + BODY[:5], HEAD.encode()])
def test_http_connections_that_break(running, sent):
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", running.http.port), timeout=180) as connection:
            connection.sendall(sent)


def test_http_clients_that_do_not_read_their_answers(running):
    connections = []
    for _ in range(40):
        connection = socket.create_connection(("127.0.0.1", running.http.port), timeout=180)
        connection.sendall(b"GET /v1/models/default/metadata HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
        connections.append(connection)

    answer = running.http.get("/healthz")
    for connection in connections:
        connection.close()

    assert answer.status == 200
