"""Whatever comes to the REST port as bytes, cut into pieces at will, the server goes on."""

import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from server.limits.mutations import mutated

few = settings(max_examples=100, suppress_health_check=list(HealthCheck))
BODY = b'{"instances": [1.0, 2.0]}'
ANSWER = b'{\n    "predictions": [2.5, 3.0\n    ]\n}'
LINE = b"POST /v1/models/default:predict HTTP/1.1\r\nHost: a\r\n"
WHOLE = LINE + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n14;x=y\r\n%b\r\n0\r\n\r\n" % (
    BODY[:5],
    BODY[5:],
)
EXPECTING = LINE + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
LAST = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.fixture(autouse=True)
def right_afterwards(running):
    """After each test the server still gives the right answer."""
    yield
    answer = running.http.post("/v1/models/default:predict", BODY)
    assert answer.json == {"predictions": [2.5, 3.0]}


def exchanged(port: int, pieces: list[bytes]) -> bytes:
    """What comes back for these pieces, after which the client sends no more."""
    with socket.create_connection(("127.0.0.1", port), timeout=180) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            # The server has closed already, as it may when the bytes are wrong.
            pass
        return received(connection)


def received(connection: socket.socket) -> bytes:
    """Everything until the server closes or resets the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


@few
@given(
    requests=st.lists(st.sampled_from([WHOLE, CHUNKED, EXPECTING]), max_size=4),
    places=st.lists(st.integers(0, 2**12), max_size=12),
)
def test_pieces_of_requests_are_answered_as_the_whole(http_client, requests, places):
    pieces = cut(b"".join(requests) + LAST, places)
    with socket.create_connection(("127.0.0.1", http_client.port), timeout=180) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        answers = received(connection)

    assert answers.count(b"HTTP/1.1 200 OK") == len(requests) + 1
    assert answers.count(ANSWER) == len(requests)
    assert answers.endswith(b"ok")


@few
@given(
    sent=mutated([WHOLE, CHUNKED, EXPECTING, WHOLE + CHUNKED]),
    places=st.lists(st.integers(0, 2**12), max_size=4),
)
def test_no_change_of_a_request_is_a_fault_of_the_server(http_client, sent, places):
    answers = exchanged(http_client.port, cut(sent, places))

    assert b"HTTP/1.1 5" not in answers
    assert b"see the server's log" not in answers


@few
@given(sent=st.binary(max_size=200))
def test_no_bytes_are_a_fault_of_the_server(http_client, sent):
    answers = exchanged(http_client.port, [sent])

    assert answers == b"" or answers.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
