"""What the REST port does with HTTP itself: CORS, verbs, limits, health."""

import socket

import pytest

from server.conftest import model_config

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}


@pytest.fixture
def with_cors(started, model_folders):
    """A server that adds CORS headers."""
    running = started(model_config(model_folders / "two"), rest_api_enable_cors_support=True)
    running.http.wait_until_ready()
    return running.http


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/models/two:predict", b'{"instances": [1.0]}'),
        ("POST", "/v1/models/two:predict", b"nonsense"),
        ("GET", "/v1/models/two", None),
        ("GET", "/v1/models/nobody", None),
    ],
)
def test_every_answer_allows_other_origins_if_a_flag_says_so(with_cors, method, path, body):
    answer = with_cors.request(method, path, body)

    assert CORS.items() <= answer.headers.items()


def test_a_preflight_request_needs_an_origin(with_cors):
    known = with_cors.request("OPTIONS", "/v1/models/two:predict", Origin="https://a.example")
    unknown = with_cors.request("OPTIONS", "/v1/models/two:predict")

    assert (known.status, known.body, unknown.status, unknown.body) == (200, b"", 400, b"")
    assert CORS.items() <= known.headers.items()


def test_other_origins_are_not_allowed_without_the_flag(http_client):
    answer = http_client.request("OPTIONS", "/v1/models/two", Origin="https://a.example")

    assert answer.status == 200
    assert not CORS.keys() & answer.headers.keys()


def test_health_tells_that_the_process_lives(http_client):
    answer = http_client.get("/healthz")

    assert (answer.status, answer.text) == (200, "ok")


def test_readiness_names_every_model(http_client, model_folders):
    answer = http_client.get("/readyz")

    assert answer.status == 200
    assert answer.json["ready"] is True
    names = [model["name"] for model in answer.json["models"]]
    assert names == sorted(folder.name for folder in model_folders.iterdir())
    assert answer.headers["Content-Type"].startswith("application/json")


def test_a_server_that_ends_is_not_ready_before_its_port_closes(started, model_folders):
    running = started(model_config(model_folders / "two"))
    running.http.wait_until_ready()

    running.server.drain()
    answer = running.http.get("/readyz")

    assert answer.status == 503
    assert answer.json["models"][0]["reason"] == "Draining"


def test_a_chunked_body_is_read_whole(http_client):
    request = (
        b"POST /v1/models/default:predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n\r\n"
        b'b\r\n{"instances\r\n8\r\n": [2]}\n\r\n0\r\n\r\n'
    )
    with socket.create_connection(("127.0.0.1", http_client.port), timeout=180) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'"predictions": [3.0' in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nx: " + b"a" * 100_000 + b"\r\n\r\n",
        b"POST /v1/models/default:predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    ],
    ids=["no HTTP", "a long path", "a long header", "a negative length"],
)
def test_what_is_no_http_is_refused_and_the_server_goes_on(http_client, request_bytes):
    with socket.create_connection(("127.0.0.1", http_client.port), timeout=180) as connection:
        connection.sendall(request_bytes)
        answer = connection.recv(65536)

    assert answer.startswith((b"HTTP/1.0 400", b"HTTP/1.1 400", b"HTTP/1.1 414", b"HTTP/1.1 431"))
    assert http_client.get("/healthz").status == 200
