"""What one HTTP client can take of the REST port is bounded in size, number and time."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from model_server.api.rest.body import BodyLimits
from model_server.api.rest.endpoint import Listen, RestEndpoint, Watch
from model_server.service.readiness import Readiness
from server.clients import HttpClient
from server.conftest import model_config

PATH = "/v1/models/m:predict"
BEGUN = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"


@pytest.fixture
def listening() -> Iterator[Callable[..., int]]:
    """Opens REST ports with given limits; the answer is the length of the body."""
    endpoints: list[RestEndpoint] = []

    def listen(answer=lambda _route, body: str(len(body)), refused=lambda: None, **limits) -> int:
        watch = Watch(lambda: Readiness(()), lambda: "{}")
        endpoints.append(RestEndpoint(Listen(0, **limits), answer, watch, refused))
        return endpoints[-1].start()

    yield listen
    for endpoint in endpoints:
        endpoint.stop(grace=1)


def send(port: int, *parts: bytes) -> socket.socket:
    """A connection on which these parts were sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    for part in parts:
        connection.sendall(part)
    return connection


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_body_that_announces_more_than_the_limit_is_refused_before_it_is_sent(listening):
    port = listening(body=BodyLimits(bytes=99))

    answer = all_of(send(port, BEGUN))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"larger than the 99 bytes of --rest_api_max_body_bytes" in answer


def test_a_chunked_body_is_refused_when_it_passes_the_limit(listening):
    port = listening(body=BodyLimits(bytes=99))
    head = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    answer = all_of(send(port, head, b"40\r\n" + b"a" * 64 + b"\r\n", b"40\r\n" + b"a" * 64))

    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_of_exactly_the_limit_is_read(listening):
    client = HttpClient(listening(body=BodyLimits(bytes=99)))

    assert client.post(PATH, b"a" * 99).text == "99"


def test_a_body_that_does_not_come_is_given_up(listening):
    port = listening(body=BodyLimits(patience=0.2))

    answer = all_of(send(port, BEGUN))

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"Only 1 bytes of the request's body came within 0.2 seconds" in answer


@pytest.mark.parametrize("beginning", [b"", b"POST ", b"POST / HTTP/1.1\r\nHost: a\r\nx"])
def test_a_header_that_does_not_end_is_given_up(listening, beginning):
    port = listening(idle=0.2)

    assert all_of(send(port, beginning)) == b""


def test_slow_clients_keep_nobody_else_waiting(listening):
    port = listening(threads=1)
    slow = [send(port, BEGUN) for _ in range(50)]

    answer = HttpClient(port).post(PATH, b"four")

    assert answer.text == "4"
    for connection in slow:
        connection.close()


def test_more_requests_at_hand_than_the_limit_are_refused_at_once(listening):
    began, may_end, counted = threading.Event(), threading.Event(), []

    def answer(_route, _body):
        began.set()
        may_end.wait(30)
        return "done"

    client = HttpClient(listening(answer, partial(counted.append, 1), threads=1, in_flight=1))
    first = threading.Thread(target=client.post, args=(PATH, b"1"))
    first.start()
    began.wait(30)
    refused, health = client.post(PATH, b"2"), client.get("/healthz")
    may_end.set()
    first.join()

    assert (refused.status, health.status) == (429, 200)
    assert "limit of --max_in_flight_requests" in refused.json["error"]
    assert client.post(PATH, b"3").text == "done"
    assert counted == [1]


def test_work_for_clients_that_are_gone_is_not_begun(listening):
    began, may_end, bodies = threading.Event(), threading.Event(), []

    def answer(_route, body):
        bodies.append(body)
        began.set()
        may_end.wait(30)
        return "done"

    port = listening(answer, threads=1)
    request = BEGUN.replace(b"100", b"1")
    first = send(port, request)
    began.wait(30)
    for _ in range(20):
        send(port, request).close()
    # An answer on a later connection tells that the loop has seen the closed ones.
    assert HttpClient(port).get("/healthz").status == 200
    may_end.set()
    last = HttpClient(port).post(PATH, b"last")
    first.close()

    assert last.text == "done"
    assert bodies == [b"{", b"last"]


def test_a_client_gone_in_mid_body_is_no_fault_of_the_server(listening, caplog):
    port = listening()

    send(port, BEGUN).close()

    assert HttpClient(port).post(PATH, b"four").text == "4"
    assert caplog.records == []


BROKEN_CHUNKS = pytest.mark.parametrize(
    "body", [b"zz\r\n", b"-1\r\n"], ids=["no number", "a negative number"]
)
CHUNKED = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@BROKEN_CHUNKS
def test_a_broken_chunk_is_the_clients_fault(listening, body):
    answer = all_of(send(listening(), CHUNKED + body))

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))


@BROKEN_CHUNKS
def test_a_broken_chunk_is_told_when_the_body_is_being_read_already(listening, body):
    # A whole chunk and a pause, so that the body's reader waits for the next one.
    connection = send(listening(), CHUNKED, b"1\r\n{\r\n")
    time.sleep(0.2)
    connection.sendall(body)

    answer = all_of(connection)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"The request's body is broken" in answer


def test_the_flags_reach_the_port(started, model_folders):
    running = started(model_config(model_folders / "two"), rest_api_max_body_bytes=29)
    running.http.wait_until_ready()

    small = running.http.post("/v1/models/two:predict", b'{"instances": [1.0]}')
    large = running.http.post("/v1/models/two:predict", b'{"instances": [1.00000000000]}')

    assert (small.status, large.status) == (200, 413)
