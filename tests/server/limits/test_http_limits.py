"""What one HTTP client can take of the REST port is bounded in size, number and time."""

import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http.client import HTTPResponse

import pytest

from api_server import eventually
from model_server.api.rest.listening import BodyLimits, ConnectionLimits, Listen
from model_server.api.rest.pages import Watch
from model_server.service.readiness import Readiness
from server.clients import HttpClient
from server.conftest import model_config
from server.transports import REST_TRANSPORTS

PATH = "/v1/models/m:predict"
BEGUN = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"


@pytest.fixture(params=REST_TRANSPORTS)
def listening(request) -> Iterator[Callable[..., int]]:
    """Opens REST ports with given limits; the answer is the length of the body."""
    endpoints = []

    def listen(answer=lambda _route, body: str(len(body)), refused=lambda: None, **limits) -> int:
        watch = Watch(lambda: Readiness(()), lambda: "{}")
        endpoints.append(request.param(Listen(0, **limits), answer, watch, refused))
        return endpoints[-1].start()

    yield listen
    for endpoint in endpoints:
        endpoint.stop(grace=1)


def send(port: int, *parts: bytes) -> socket.socket:
    """A connection on which these parts were sent."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=180)
    for part in parts:
        connection.sendall(part)
    return connection


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b""))


def rest_of(connection: socket.socket) -> bytes:
    """What comes until the server closes or resets."""
    parts = []
    with connection, suppress(ConnectionResetError):
        parts.extend(iter(lambda: connection.recv(65536), b""))
    return b"".join(parts)


def refusal(connection: socket.socket) -> tuple[int, str]:
    """The status and the body of an answer after which the server closes.

    It lingers before it does so, to let slow clients read the answer; that is not waited for.
    """
    with connection, HTTPResponse(connection) as answer:
        answer.begin()
        body = answer.read()
        assert answer.will_close
        return answer.status, body.decode()


def test_a_body_that_announces_more_than_the_limit_is_refused_before_it_is_sent(listening):
    port = listening(body=BodyLimits(bytes=99))

    status, body = refusal(send(port, BEGUN))

    assert status == 413
    assert "larger than the 99 bytes of --rest_api_max_body_bytes" in body


def test_a_chunked_body_is_refused_when_it_passes_the_limit(listening):
    port = listening(body=BodyLimits(bytes=99))
    head = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

    parts = (b"40\r\n" + b"a" * 64 + b"\r\n", b"40\r\n" + b"a" * 64)
    status, _ = refusal(send(port, head, *parts))

    assert status == 413


def test_a_body_of_exactly_the_limit_is_read(listening):
    client = HttpClient(listening(body=BodyLimits(bytes=99)))

    assert client.post(PATH, b"a" * 99).text == "99"


def test_a_body_that_does_not_come_is_given_up(listening):
    port = listening(body=BodyLimits(patience=0.2))

    status, body = refusal(send(port, BEGUN))

    assert status == 408
    assert "Only 1 bytes of the request's body came within 0.2 seconds" in body


@pytest.mark.parametrize("beginning", [b"", b"POST ", b"POST / HTTP/1.1\r\nHost: a\r\nx"])
def test_a_header_that_does_not_end_is_given_up(listening, beginning):
    port = listening(idle=0.2)

    assert all_of(send(port, beginning)) == b""


def test_a_header_that_comes_by_bytes_is_given_up(listening):
    connection = send(listening(idle=0.5), b"GET /healthz HTTP/1.1\r\nx: ")

    with pytest.raises(OSError):
        for _ in range(6000):
            connection.sendall(b"a")
            time.sleep(0.01)
    connection.close()


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", id="a long path"),
        pytest.param(b"GET / HTTP/1.1\r\nx: " + b"a" * 20_000 + b"\r\n\r\n", id="a long header"),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 1000 + b"\r\n", id="many headers"),
        pytest.param(b"\x16\x03\x01" + b"a" * 20_000, id="no HTTP"),
    ],
)
def test_a_header_beyond_the_limits_is_refused(listening, head):
    port = listening()

    status, _ = refusal(send(port, head))

    # The second says that it is the header's size; aiohttp does not know it.
    assert status in (400, 431)
    assert HttpClient(port).get("/healthz").status == 200


def test_a_connection_above_the_limit_takes_the_place_of_the_longest_idle(listening):
    port = listening(connections=ConnectionLimits(2))
    first, second = send(port), send(port)

    answer = HttpClient(port).get("/healthz")

    assert answer.status == 200
    assert all_of(first) == b""
    second.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
    assert b"200 OK" in all_of(second)


def test_a_connection_above_the_limit_is_refused_if_all_others_are_at_work(listening):
    began, may_end = threading.Semaphore(0), threading.Event()

    def answer(_route, _body):
        began.release()
        may_end.wait(180)
        return "done"

    port = listening(answer, connections=ConnectionLimits(2), threads=2)
    request = b"POST /v1/models/m:predict HTTP/1.0\r\nContent-Length: 1\r\n\r\na"
    working = [send(port, request), send(port, request)]
    assert began.acquire(timeout=180)
    assert began.acquire(timeout=180)

    refused = all_of(send(port))
    may_end.set()

    assert refused.startswith(b"HTTP/1.1 503 ")
    assert b"as many connections at work as it may" in refused
    assert [all_of(connection)[-4:] for connection in working] == [b"done", b"done"]


@pytest.mark.parametrize(
    "body",
    [b'{"instances": [' + b"1," * 99 + b"1]}", b'{"inputs": ' + b"[" * 99, b"{" * 200],
    ids=["numbers", "lists", "objects"],
)
@pytest.mark.parametrize("packed", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_more_json_values_than_the_limit_are_refused(listening, body, packed):
    # What is below a mebibyte is not counted unless it is packed.
    client = HttpClient(listening(body=BodyLimits(values=90)))
    padding = b" " * 2**20
    encoding = {} if packed is bytes else {"Content_Encoding": "gzip"}

    refused = client.request("POST", PATH, packed(body + padding), **encoding)
    answered = client.request("POST", PATH, packed(body[:90] + padding), **encoding)

    assert refused.status == 400
    assert "90 are the limit of --rest_api_max_json_values" in refused.json["error"]
    assert answered.status == 200


def test_requests_of_many_values_wait_for_each_other_and_keep_nobody_else_waiting(listening):
    may_end, at_work, most = threading.Event(), [], []

    def answer(_route, body):
        if len(body) > 2**20:
            at_work.append(1)
            most.append(len(at_work))
            may_end.wait(180)
            at_work.pop()
        return str(len(body))

    client = HttpClient(listening(answer, threads=2))
    large = b"," * (2**20 + 1)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(client.post, PATH, large) for _ in range(4)]
        while not at_work:
            time.sleep(0.01)
        small = client.post(PATH, b"four")
        may_end.set()
        answers = {asked_one.result().text for asked_one in asked}

    assert small.text == "4"
    assert answers == {str(len(large))}
    assert max(most) == 1


def test_more_bytes_of_bodies_than_the_limit_are_refused(listening):
    began, may_end = threading.Event(), threading.Event()

    def answer(_route, body):
        if len(body) > 50:
            began.set()
            may_end.wait(180)
        return str(len(body))

    client = HttpClient(listening(answer, body=BodyLimits(together=100)))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, PATH, b"a" * 60)
        began.wait(180)
        second, small = client.post(PATH, b"a" * 60), client.post(PATH, b"a" * 40)
        may_end.set()
        assert first.result().text == "60"

    assert (second.status, small.text) == (429, "40")
    assert "has 60 bytes of bodies at hand" in second.json["error"]
    assert client.post(PATH, b"a" * 60).text == "60"
    assert client.post(PATH, b"alone" * 99).text == "495"


def test_a_gzip_body_counts_with_the_bytes_that_come_out_of_it(listening):
    began, may_end = threading.Event(), threading.Event()

    def answer(_route, body):
        began.set()
        may_end.wait(180)
        return str(len(body))

    port = listening(answer, body=BodyLimits(together=2**20))
    client = HttpClient(port)
    body = gzip.compress(b" " * 600_000)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.request, "POST", PATH, body, Content_Encoding="gzip")
        began.wait(180)
        second = client.request("POST", PATH, body, Content_Encoding="gzip")
        may_end.set()
        assert first.result().text == "600000"

    assert second.status == 429
    assert "bytes of bodies at hand; try again" in second.json["error"]


def test_bodies_of_requests_that_waited_too_long_are_not_kept(listening):
    may_end = threading.Event()

    def answer(_route, _body):
        may_end.wait(180)
        return "done"

    client = HttpClient(listening(answer, threads=1, timeout=0.2))
    body = b"a" * 2**23
    tracemalloc.start()
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(client.post, [PATH] * 20, [body] * 20))
    # That of the one that runs; the others are let go while their clients are answered.
    until = time.monotonic() + 180
    while tracemalloc.get_traced_memory()[0] >= 2 * len(body) and time.monotonic() < until:
        time.sleep(0.01)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    may_end.set()

    assert {answer.status for answer in answers} == {504}
    assert kept < 2 * len(body)


def test_a_client_that_does_not_read_its_answer_is_left(listening):
    began = threading.Event()

    def answer(_route, _body):
        began.set()
        # More than the kernel takes for a connection.
        return "x" * 2**26

    port = listening(answer, connections=ConnectionLimits(most=1, patience=0.2))
    connection = send(port, BEGUN.replace(b"100", b"1"))
    assert began.wait(180)

    # As long as it holds the only place, others get 503.
    HttpClient(port).wait_until("/healthz", 200)

    assert len(rest_of(connection)) < 2**26


def test_a_client_that_reads_is_given_its_whole_answer(listening):
    port = listening(lambda *_asked: "x" * 2**26, connections=ConnectionLimits(patience=30))

    assert len(HttpClient(port).post(PATH, b"1").body) == 2**26


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
        may_end.wait(180)
        return "done"

    client = HttpClient(listening(answer, partial(counted.append, 1), threads=1, in_flight=1))
    first = threading.Thread(target=client.post, args=(PATH, b"1"))
    first.start()
    began.wait(180)
    refused, health = client.post(PATH, b"2"), client.get("/healthz")
    may_end.set()
    first.join()

    assert (refused.status, health.status) == (429, 200)
    assert "limit of --max_in_flight_requests" in refused.json["error"]
    assert client.post(PATH, b"3").text == "done"
    # Whoever counts is told by a thread of its own.
    eventually(lambda: counted)
    assert counted == [1]


def test_work_for_clients_that_are_gone_is_not_begun(listening):
    began, may_end, bodies = threading.Event(), threading.Event(), []

    def answer(_route, body):
        bodies.append(body)
        began.set()
        may_end.wait(180)
        return "done"

    port = listening(answer, threads=1)
    request = BEGUN.replace(b"100", b"1")
    first = send(port, request)
    began.wait(180)
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
