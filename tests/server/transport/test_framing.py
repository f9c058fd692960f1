"""How messages of gRPC are framed and packed: what is wrong with them is told, and costs little."""

import gzip
import resource
import zlib
from itertools import pairwise

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_server.api.grpc.endpoint import Listen
from server.transport.h2_client import Answer, H2Client, framed
from server.transports import TRANSPORTS

METHOD = "/test.Service/Echo"
MOST = 1_000_000
OK, UNIMPLEMENTED, INTERNAL, EXHAUSTED, EXCEEDED = (
    grpc.StatusCode[name].value[0]
    for name in ("OK", "UNIMPLEMENTED", "INTERNAL", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED")
)
GZIP, DEFLATE = ("grpc-encoding", "gzip"), ("grpc-encoding", "deflate")
PACKED = gzip.compress(b"abc" * 100)
MEBIBYTE = 2**20


@pytest.fixture(scope="module", params=TRANSPORTS)
def target(request):
    """The address of a port that answers with what it was asked."""
    limit = ("grpc.max_receive_message_length", MOST)
    endpoint = request.param(Listen(0, channel_arguments=(limit,)))
    endpoint.serve({METHOD: grpc.unary_unary_rpc_method_handler(lambda request, _: request)})
    yield f"127.0.0.1:{endpoint.start()}"
    endpoint.stop(1)


@pytest.fixture
def asked(target):
    """Asks on a new connection."""

    def ask(body: bytes, *headers: tuple[str, str]) -> Answer:
        with H2Client(target) as client:
            stream = client.begin(METHOD, headers)
            client.send(stream, [body[at : at + 16_000] for at in range(0, len(body), 16_000)])
            return client.answer(stream)

    return ask


@pytest.mark.parametrize(
    ("body", "headers", "told"),
    [
        pytest.param(framed(b"abc"), [], b"abc", id="a message"),
        pytest.param(framed(b""), [], b"", id="an empty one"),
        pytest.param(framed(b"abc"), [GZIP], b"abc", id="not packed although it might be"),
        pytest.param(framed(PACKED, 1), [GZIP], b"abc" * 100, id="gzip"),
        pytest.param(framed(zlib.compress(b"abc"), 1), [DEFLATE], b"abc", id="deflate"),
        pytest.param(framed(b"", 1), [GZIP], b"", id="nothing, packed"),
        pytest.param(
            framed(b"abc"),
            [("content-type", "application/grpc+proto")],
            b"abc",
            id="with a subtype",
        ),
        pytest.param(framed(b"abc"), [("grpc-timeout", "99999999H")], b"abc", id="a long time"),
        pytest.param(framed(b"abc"), [("te", "trailers"), ("x", "")], b"abc", id="empty metadata"),
    ],
)
def test_what_is_framed_well_is_answered(asked, body, headers, told):
    answer = asked(body, *headers)

    assert (answer.status, answer.body) == (OK, framed(told))


@pytest.mark.parametrize(
    ("body", "headers", "codes"),
    [
        pytest.param(b"", [], {UNIMPLEMENTED}, id="no message"),
        pytest.param(b"\0\0", [], {INTERNAL, UNIMPLEMENTED}, id="part of a prefix"),
        pytest.param(framed(b"abc", 0, 9), [], {INTERNAL, UNIMPLEMENTED}, id="a cut message"),
        pytest.param(framed(b"abc", 0, MOST + 1), [], {EXHAUSTED}, id="a size above the limit"),
        pytest.param(framed(b"abc", 0, 2**32 - 1), [], {EXHAUSTED}, id="the largest size"),
        pytest.param(framed(b"abc", 1), [], {INTERNAL}, id="packed, nobody says how"),
        pytest.param(
            framed(b"abc", 1), [("grpc-encoding", "identity")], {INTERNAL}, id="packed by nothing"
        ),
        pytest.param(
            framed(b"abc", 1),
            [("grpc-encoding", "snappy")],
            {UNIMPLEMENTED, INTERNAL},
            id="packed by what nobody knows",
        ),
        pytest.param(framed(b"abc", 1), [GZIP], {INTERNAL}, id="no gzip"),
        pytest.param(framed(b"abc", 1), [DEFLATE], {INTERNAL}, id="no deflate"),
        pytest.param(framed(PACKED[:-9], 1), [GZIP], {INTERNAL}, id="gzip that is cut"),
        pytest.param(framed(PACKED[:-8] + bytes(8), 1), [GZIP], {INTERNAL}, id="a wrong sum"),
        pytest.param(framed(PACKED + b"more", 1), [GZIP], {INTERNAL}, id="more after the end"),
        pytest.param(
            framed(gzip.compress(bytes(MOST + 1)), 1), [GZIP], {EXHAUSTED}, id="too much unpacked"
        ),
        *[
            pytest.param(framed(b"abc"), [("grpc-timeout", text)], {INTERNAL}, id=f"timeout {text}")
            for text in ("5", "S", "5x", "-1S", "1.5S")
        ],
    ],
)
def test_what_is_framed_wrongly_is_told(asked, body, headers, codes):
    answer = asked(body, *headers)

    # Where there are two, the transports differ.
    assert answer.status in codes
    assert answer.headers[":status"] == "200"
    assert asked(framed(b"next")).body == framed(b"next")


@pytest.fixture(scope="module")
def swelling():
    """Messages of 100 MiB, packed."""
    deflated = zlib.compressobj(1)
    gzipped = zlib.compressobj(1, wbits=31)
    zeros = bytes(MEBIBYTE)
    return {
        "deflate": b"".join(deflated.compress(zeros) for _ in range(100)) + deflated.flush(),
        "gzip": b"".join(gzipped.compress(zeros) for _ in range(100)) + gzipped.flush(),
    }


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_message_that_swells_is_refused_before_it_takes_memory(asked, swelling, encoding):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    answer = asked(framed(swelling[encoding], 1), ("grpc-encoding", encoding))

    assert answer.status == EXHAUSTED
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < 50 * MEBIBYTE


few = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@few
@given(
    message=st.binary(max_size=300),
    is_packed=st.booleans(),
    cuts=st.lists(st.integers(0, 320), max_size=8),
)
def test_a_message_may_come_in_any_pieces(target, message, is_packed, cuts):
    body = framed(gzip.compress(message), 1) if is_packed else framed(message)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]

    with H2Client(target) as client:
        stream = client.begin(METHOD, [GZIP])
        client.send(stream, pieces)
        answer = client.answer(stream)

    assert (answer.status, answer.body) == (OK, framed(message))


@few
@given(
    flag=st.integers(0, 255),
    size=st.none() | st.integers(0, 2**32 - 1),
    message=st.binary(max_size=100),
    encoding=st.sampled_from(["gzip", "deflate", "identity", "br", "", "gzip,deflate"]),
)
def test_any_prefix_ends_in_an_answer(asked, flag, size, message, encoding):
    answer = asked(framed(message, flag, size), ("grpc-encoding", encoding))

    assert answer.status in {OK, UNIMPLEMENTED, INTERNAL, EXHAUSTED}


def test_an_answer_comes_by_bytes_where_its_client_takes_no_more_at_a_time(target):
    with H2Client(target, window=1) as client:
        answer = client.ask(METHOD, framed(b"some bytes"))

    assert (answer.status, answer.body) == (OK, framed(b"some bytes"))


def test_frames_with_all_that_http_2_has_are_read(target, request):
    # grpcio ends connections whose DATA frames are padded.
    padding = 5 if "native" in request.node.name else None
    with H2Client(target, window=MEBIBYTE) as client:
        agent = ("user-agent", "grpc-java-netty/1.76.0")
        stream = client.begin(METHOD, [agent, ("grpc-accept-encoding", "gzip")], priority_weight=16)
        client.connection.prioritize(stream, weight=200)
        client.connection.ping(b"\0\0\0\0\0\0\4\xd2")
        client.connection.increment_flow_control_window(MEBIBYTE)
        client.send(stream, [b"\0", b"\0\0\0", b"\3a", b"bc", b""], padding=padding)
        answer = client.answer(stream)

    assert (answer.status, answer.body) == (OK, framed(b"abc"))
