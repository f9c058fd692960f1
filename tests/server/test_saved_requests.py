"""Requests as they were saved from other clients: bytes in, the same bytes out each time."""

import json
import shutil
import socket
import subprocess

import pytest

PREDICT = "/tensorflow.serving.PredictionService/Predict"
STATUS = "/tensorflow.serving.ModelService/GetModelStatus"


def message(*parts: bytes) -> bytes:
    return b"".join(parts)


# Written by hand from the field numbers, so that no library can hide a difference.
SAVED_MESSAGES = [
    pytest.param(
        PREDICT,
        message(
            b"\x0a\x09\x0a\x07default",  # model_spec { name }
            b"\x12\x0d\x0a\x01x\x12\x08\x08\x01\x2a\x04\0\0\0\x40",  # inputs { x: float_val 2.0 }
        ),
        message(
            b"\x0a\x0f\x0a\x01y\x12\x0a\x08\x01\x12\x00\x2a\x04\0\0\x40\x40",  # y: 3.0, a scalar
            b"\x12\x1e\x0a\x07default\x12\x02\x08\x7b\x1a\x0fserving_default",  # version 123
        ),
        id="Predict",
    ),
    pytest.param(
        PREDICT,
        message(
            b"\x0a\x09\x0a\x07default",
            # tensor_content instead of float_val, of shape [1], and a filter
            b"\x12\x13\x0a\x01x\x12\x0e\x08\x01\x12\x04\x12\x02\x08\x01\x22\x04\0\0\0\x40",
            b"\x1a\x01y",
        ),
        message(
            b"\x0a\x13\x0a\x01y\x12\x0e\x08\x01\x12\x04\x12\x02\x08\x01\x2a\x04\0\0\x40\x40",
            b"\x12\x1e\x0a\x07default\x12\x02\x08\x7b\x1a\x0fserving_default",
        ),
        id="Predict with tensor_content",
    ),
    pytest.param(
        PREDICT,
        message(
            b"\x0a\x09\x0a\x07default",
            b"\x12\x0d\x0a\x01x\x12\x08\x08\x01\x2a\x04\0\0\0\x40",
            b"\xba\x3e\x04junk",  # a field that only newer clients know
        ),
        message(
            b"\x0a\x0f\x0a\x01y\x12\x0a\x08\x01\x12\x00\x2a\x04\0\0\x40\x40",
            b"\x12\x1e\x0a\x07default\x12\x02\x08\x7b\x1a\x0fserving_default",
        ),
        id="Predict with an unknown field",
    ),
    pytest.param(
        STATUS,
        b"\x0a\x09\x0a\x07default",
        b"\x0a\x06\x08\x7b\x10\x1e\x1a\x00",  # version 123, AVAILABLE (30), OK
        id="GetModelStatus",
    ),
]


@pytest.mark.parametrize(("method", "saved", "expected"), SAVED_MESSAGES)
def test_a_saved_message_is_answered_with_the_same_bytes(grpc_client, method, saved, expected):
    call = grpc_client.channel.unary_unary(method)

    assert call(saved, timeout=180) == expected


def answered(port: int, saved: bytes) -> tuple[bytes, bytes, bytes]:
    """Status line, headers and body of the answer to the bytes of a whole request."""
    with socket.create_connection(("127.0.0.1", port), timeout=180) as connection:
        connection.sendall(saved)
        with connection.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    line, _, headers = head.partition(b"\r\n")
    return line, headers, body


def post(path: bytes, body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST " + path + b" HTTP/1.1", b"Host: models.example:8501", *headers]
    return b"\r\n".join([*lines, b"Connection: close", b"", body])


ROWS = b'{"instances": [2.0]}'
PREDICTIONS = b'{\n    "predictions": [3.0\n    ]\n}'
SAVED_REQUESTS = [
    pytest.param(
        post(
            b"/v1/models/default:predict",
            ROWS,
            b"User-Agent: curl/7.88.1",
            b"Accept: */*",
            b"Content-Length: 20",
            b"Content-Type: application/x-www-form-urlencoded",
        ),
        (b"HTTP/1.1 200 OK", PREDICTIONS),
        id="curl",
    ),
    pytest.param(
        post(
            b"/v1/models/default:predict",
            b"5\r\n" + ROWS[:5] + b"\r\nf\r\n" + ROWS[5:] + b"\r\n0\r\n\r\n",
            b"Transfer-Encoding: chunked",
        ),
        (b"HTTP/1.1 200 OK", PREDICTIONS),
        id="chunked",
    ),
    pytest.param(
        b"GET /v1/models/default HTTP/1.0\r\n\r\n",
        (
            b"HTTP/1.0 200 OK",
            b'{\n "model_version_status": [\n  {\n   "version": "123",\n   "state": "AVAILABLE",\n'
            b'   "status": {\n    "error_code": "OK",\n    "error_message": ""\n   }\n  }\n ]\n}\n',
        ),
        id="HTTP/1.0",
    ),
    pytest.param(
        post(b"http://models.example:8501/v1/models/default:predict", ROWS, b"Content-Length: 20"),
        (b"HTTP/1.1 200 OK", PREDICTIONS),
        id="through a proxy",
    ),
    pytest.param(
        post(
            b"/v1/models/default:regress",
            b'{"signature_name": "regress_x_to_y", "examples": [{"x": 2.0}]}',
            b"Content-Length: 62",
        ),
        (b"HTTP/1.1 200 OK", b'{\n    "results": [3.0]\n}'),
        id="regress",
    ),
    pytest.param(
        post(b"/v1/models/foo/metadata", b"", b"Content-Length: 0"),
        (
            b"HTTP/1.1 400 Bad Request",
            b'{\n    "error": "Malformed request: POST /v1/models/foo/metadata"\n}',
        ),
        id="another verb's path",
    ),
]


@pytest.mark.parametrize(("saved", "expected"), SAVED_REQUESTS)
def test_a_saved_request_is_answered_with_the_same_bytes(http_client, saved, expected):
    line, headers, body = answered(http_client.port, saved)

    assert (line, body) == expected
    assert b"Content-Type: application/json" in headers


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(http_client):
    request = post(
        b"/v1/models/default:predict", b"", b"Content-Length: 20", b"Expect: 100-continue"
    )
    with socket.create_connection(("127.0.0.1", http_client.port), timeout=180) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            leave = answer.readline() + answer.readline()
            connection.sendall(ROWS)
            rest = answer.read()

    assert leave == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest.endswith(PREDICTIONS)


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")


def curl(port: int, path: str, *arguments: str, sent: str | None = None) -> str:
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", *arguments]
    url = f"http://127.0.0.1:{port}/v1/models/{path}"
    done = subprocess.run([*command, url], input=sent, capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@needs_curl
def test_curl_predicts_as_the_documentation_of_tensorflow_serving_shows(http_client):
    rows = '{"instances": [1.0, 2.0, 5.0]}'

    told = curl(http_client.port, "default:predict", "-d", rows, "-X", "POST")

    assert json.loads(told) == {"predictions": [2.5, 3.0, 4.5]}


@needs_curl
def test_curl_sends_a_large_body_after_it_got_leave(http_client):
    rows = json.dumps({"instances": [2.0] * 400_000})

    told = curl(http_client.port, "default:predict", "--data-binary", "@-", sent=rows)

    assert json.loads(told) == {"predictions": [3.0] * 400_000}


@needs_curl
def test_curl_sees_the_code_of_a_refusal(http_client):
    told = curl(http_client.port, "nobody", "--write-out", "%{http_code} %{content_type}")

    assert told.endswith("404 application/json")
