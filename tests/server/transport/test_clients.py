"""Clients that others wrote get from both transports what they ask for, each in its own way."""

import gzip
import json
import shutil
import subprocess

import grpc
import pytest
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from server.transport.grpc_programs import Told, grpc_go, grpc_java, told

OK, CANCELLED = grpc.StatusCode.OK, grpc.StatusCode.CANCELLED
PREDICT = "/tensorflow.serving.PredictionService/Predict"
SERVICE = "tensorflow.serving.PredictionService"
METRICS = "/monitoring/prometheus/metrics"
NOBODY = 'in_flight_requests{entrypoint="GRPC"} 0\n'


@pytest.fixture(scope="module")
def files(tmp_path_factory, quick, slow):
    """The requests as messages, and the quick one as a message with its prefix."""
    folder = tmp_path_factory.mktemp("requests")
    message = quick.SerializeToString()
    (folder / "quick").write_bytes(message)
    (folder / "slow").write_bytes(slow.SerializeToString())
    (folder / "framed").write_bytes(b"\x00" + len(message).to_bytes(4, "big") + message)
    return folder


@pytest.fixture
def answer(served, quick) -> str:
    """What grpcio is told, in hex."""
    call = served.grpc.channel.unary_unary(PREDICT)
    return call(quick.SerializeToString(), timeout=180).hex()


def shown(each: Told) -> tuple[str, grpc.StatusCode, str]:
    return each.asked, each.code, each.answer


@pytest.mark.parametrize("client", [grpc_go, grpc_java])
def test_clients_of_grpc_are_told_what_grpcio_is_told(served, files, answer, client):
    arguments = (served.grpc.target, str(files / "quick"), str(files / "slow"))

    lines = told(client(), *arguments)

    assert [shown(each) for each in lines] == [
        ("predict", OK, answer),
        ("gzip", OK, answer),
        ("no message", grpc.StatusCode.INTERNAL, ""),
        ("unknown", grpc.StatusCode.UNIMPLEMENTED, ""),
        ("many", OK, answer),
        ("deadline", grpc.StatusCode.DEADLINE_EXCEEDED, ""),
        ("cancel", CANCELLED, ""),
        ("watch", OK, "SERVING"),
        ("watch, left", CANCELLED, ""),
        ("reflect", OK, SERVICE),
        ("reflect", OK, SERVICE),
        ("reflect, ended", OK, ""),
        ("after all", OK, answer),
    ]
    # Those that left are known to be gone.
    served.http.wait_for(METRICS, lambda page: NOBODY in page.text)


def run(*command: object) -> bytes:
    ended = subprocess.run([str(word) for word in command], capture_output=True, timeout=180)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def grpc_headers(option: str) -> list[str]:
    return [option, "content-type: application/grpc", option, "te: trailers"]


def test_curl_speaks_grpc_over_http_2_without_an_upgrade(served, files, tmp_path, answer):
    head, url = tmp_path / "head", f"http://{served.grpc.target}{PREDICT}"

    body = run(
        *("curl", "-sS", "--http2-prior-knowledge", "-D", head, *grpc_headers("-H")),
        *("--data-binary", f"@{files / 'framed'}", url),
    )

    assert body[5:].hex() == answer
    assert head.read_text().startswith("HTTP/2 200")
    assert "grpc-status: 0" in head.read_text()


def test_curl_packs_a_body_for_rest(served, tmp_path):
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(json.dumps({"instances": [1.0, 2.0]}).encode()))

    body = run(
        *("curl", "-sS", "--compressed", "-H", "Content-Encoding: gzip"),
        *("--data-binary", f"@{packed}"),
        f"http://127.0.0.1:{served.http.port}/v1/models/default:predict",
    )

    assert json.loads(body) == {"predictions": [2.5, 3.0]}


@pytest.mark.skipif(shutil.which("nghttp") is None, reason="nghttp is not installed")
def test_nghttp_is_answered(served, files, answer):
    body = run(
        *("nghttp", *grpc_headers("-H"), "-d", files / "framed"),
        f"http://{served.grpc.target}{PREDICT}",
    )

    assert body[5:].hex() == answer


@pytest.mark.skipif(shutil.which("h2load") is None, reason="h2load is not installed")
def test_h2load_is_answered_each_time(served, files):
    report = run(
        *("h2load", "-n", 500, "-c", 5, "-m", 20, *grpc_headers("-H"), "-d", files / "framed"),
        f"http://{served.grpc.target}{PREDICT}",
    ).decode()

    assert "500 succeeded, 0 failed, 0 errored, 0 timeout" in report
    assert "500 2xx, 0 3xx, 0 4xx, 0 5xx" in report


def test_what_clients_are_told_is_right(answer):
    response = PredictResponse.FromString(bytes.fromhex(answer))

    assert response.outputs["y"].float_val == [2.5, 3.0]
