"""Connections that flood a port with frames: it keeps little of them, and ends the worst."""

import os
import re
from contextlib import suppress

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_server.api.grpc.endpoint import Listen
from server.limits.http2_frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    begun,
    block,
    call,
    connected,
    frame,
)
from server.transport.h2_client import H2Client, framed
from server.transports import TRANSPORTS

METHOD = "/test.Service/Echo"
PATH = METHOD.encode()
PRIORITY, UNKNOWN = 2, 0x77
REFUSED_STREAM = 7
# GOAWAY with the code ENHANCE_YOUR_CALM.
CALM = re.compile(rb"\x07\0\0\0\0\0.{4}\0\0\0\x0b", re.DOTALL)
MANY = 20_000
MEBIBYTE = 2**20
POST = block([(b":method", b"POST")])
WHOLE = END_HEADERS | END_STREAM
# What each begins with, and its frame of a number.
FLOODS = {
    "resets": (
        b"",
        lambda n: call(PATH, 2 * n + 1) + frame(RST_STREAM, 0, 2 * n + 1, b"\0\0\0\x08"),
    ),
    "pings": (b"", lambda n: frame(PING, 0, 0, n.to_bytes(8, "big"))),
    "settings": (b"", lambda _: frame(SETTINGS, 0, 0)),
    "headers without an end": (
        frame(HEADERS, 0, 1, POST),
        lambda _: frame(CONTINUATION, 0, 1, block([(b"x", b"a" * 100)])),
    ),
    "headers of nothing without an end": (
        frame(HEADERS, 0, 1, POST),
        lambda _: frame(CONTINUATION, 0, 1),
    ),
    "data of nothing": (call(PATH), lambda _: frame(DATA, 0, 1)),
    "data by bytes": (call(PATH), lambda _: frame(DATA, 0, 1, b"\0")),
    "priorities": (b"", lambda n: frame(PRIORITY, 0, 2 * n + 1, b"\0\0\0\0\x10")),
    "windows": (b"", lambda _: frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01")),
    "frames that nobody knows": (b"", lambda _: frame(UNKNOWN, 0, 0, b"a" * 50)),
    "calls without a message": (b"", lambda n: call(PATH, 2 * n + 1)),
    "calls without a path": (b"", lambda n: frame(HEADERS, WHOLE, 2 * n + 1, POST)),
    "headers without a name": (b"", lambda n: frame(HEADERS, WHOLE, 2 * n + 1, b"\0\0\0")),
}
# Those that would make a server work, or remember, for next to nothing.
ENDED = ["resets", "headers without an end", "headers of nothing without an end", "data of nothing"]


@pytest.fixture(scope="module", params=TRANSPORTS[1:])
def target(request):
    """The address of a port that answers with what it was asked."""
    limit = ("grpc.max_concurrent_streams", 100)
    endpoint = request.param(Listen(0, channel_arguments=(limit,)))
    endpoint.serve({METHOD: grpc.unary_unary_rpc_method_handler(lambda request, _: request)})
    yield f"127.0.0.1:{endpoint.start()}"
    endpoint.stop(1)


@pytest.fixture(autouse=True)
def right_afterwards(target):
    """After each test others are answered, and hardly more memory is in use."""
    before = resident()
    yield
    with H2Client(target) as client:
        assert client.ask(METHOD, framed(b"a call")).body == framed(b"a call")
    assert resident() - before < 50 * MEBIBYTE


def resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def flooded(target: str, flood: str) -> bytes:
    """What is answered until the connection ends, or to all that was sent and a last ping."""
    begin, of = FLOODS[flood]
    last = frame(PING, 0, 0, b"the last")
    told = b""
    with connected(target) as connection:
        with suppress(ConnectionError):
            connection.sendall(begun() + begin)
            for first in range(0, MANY, 500):
                connection.sendall(b"".join(of(n) for n in range(first, first + 500)))
            connection.sendall(last)
        with suppress(ConnectionError):
            while b"the last" not in told and (more := connection.recv(65536)):
                told += more
    return told


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_frames_is_survived(target, flood):
    told = flooded(target, flood)

    assert flood not in ENDED or CALM.search(told)


def test_calls_above_the_limit_of_a_connection_are_refused_and_the_others_are_answered(target):
    with H2Client(target) as client:
        client.connection.remote_settings.max_concurrent_streams = 200
        streams = [client.begin(METHOD) for _ in range(101)]
        refused = client.answer(streams[-1])
        client.send(streams[0], [framed(b"the first")])
        first = client.answer(streams[0])

    assert refused.reset == REFUSED_STREAM
    assert first.body == framed(b"the first")


frames = st.builds(
    frame,
    st.integers(0, 12),
    st.integers(0, 255),
    st.sampled_from([0, 1, 2, 3, 5, 2**31 - 1, 2**31]),
    st.binary(max_size=40),
)
streams = st.sampled_from([1, 3, 5])
sensible = st.one_of(
    st.builds(call, st.just(PATH), streams),
    st.builds(
        lambda stream, message, flag, size, end: frame(
            DATA, end, stream, framed(message, flag, size)
        ),
        streams,
        st.binary(max_size=50),
        st.sampled_from([0, 0, 0, 1, 255]),
        st.none() | st.integers(0, 2**32 - 1),
        st.sampled_from([0, END_STREAM]),
    ),
    st.builds(lambda stream: frame(RST_STREAM, 0, stream, b"\0\0\0\x08"), streams),
    st.builds(lambda n: frame(WINDOW_UPDATE, 0, 0, n.to_bytes(4, "big")), st.integers(1, 2**31)),
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(sent=st.lists(frames | sensible | sensible, max_size=12), rest=st.binary(max_size=20))
def test_no_frames_end_the_server(target, sent, rest):
    with connected(target) as connection, suppress(ConnectionError):
        connection.sendall(begun() + b"".join(sent) + rest)
