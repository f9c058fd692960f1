"""What gRPC clients can take of the server is bounded, and each bound has a clear error."""

import threading
import time
from functools import partial

import grpc
import pytest

from api_server import eventually
from model_server.api.grpc.endpoint import Listen
from model_server.api.grpc.unary import Handler
from server.transports import TRANSPORTS

METHOD = "/test.Service/Echo"
BESIDE = "/test.Service/EchoBeside"


def echo(request: bytes, _context: grpc.ServicerContext) -> bytes:
    return request


@pytest.fixture(params=TRANSPORTS)
def listening(request):
    """Opens gRPC ports with given limits for one method that takes turns and one that does not.

    Returns the address.
    """
    endpoints = []

    def listen(answer=echo, refused=lambda: None, **limits) -> str:
        endpoint = request.param(Listen(0, **limits), refused=refused)
        handler: Handler = grpc.unary_unary_rpc_method_handler(answer)
        endpoint.serve({METHOD: handler}, {BESIDE: grpc.unary_unary_rpc_method_handler(echo)})
        endpoints.append(endpoint)
        return f"127.0.0.1:{endpoint.start()}"

    yield listen
    for endpoint in endpoints:
        endpoint.stop(grace=1)


@pytest.fixture
def serving(listening):
    """The same, and returns a channel."""
    channels = []

    def serve(*handling, **limits) -> grpc.Channel:
        channels.append(grpc.insecure_channel(listening(*handling, **limits)))
        return channels[-1]

    yield serve
    for channel in channels:
        channel.close()


def test_more_requests_at_hand_than_the_limit_are_refused_at_once(serving):
    began, may_end, counted = threading.Event(), threading.Event(), []

    def answer(request, _context):
        began.set()
        may_end.wait(180)
        return request

    refused_one = partial(counted.append, 1)
    channel = serving(answer, refused_one, threads=1, in_flight=1)
    call = channel.unary_unary(METHOD)
    first = call.future(b"first")
    began.wait(180)
    with pytest.raises(grpc.RpcError) as refused:
        call(b"second", timeout=180)
    may_end.set()

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "Concurrent RPC limit exceeded" in refused.value.details()
    assert first.result(180) == b"first"
    with pytest.raises(grpc.RpcError, match="UNIMPLEMENTED"):
        channel.unary_unary("/test.Service/Other")(b"whatever comes next", timeout=180)
    # Whoever counts is told by a thread of its own.
    eventually(lambda: counted)
    assert counted == [1]


def test_more_bytes_of_messages_than_the_limit_are_refused(serving):
    began, may_end = threading.Event(), threading.Event()

    def answer(request, _context):
        if len(request) > 50:
            began.set()
            may_end.wait(180)
        return request

    call = serving(answer, threads=2, at_hand=100).unary_unary(METHOD)
    first = call.future(b"a" * 60)
    began.wait(180)
    with pytest.raises(grpc.RpcError) as refused:
        call(b"a" * 41, timeout=180)
    small = call(b"a" * 40, timeout=180)
    may_end.set()

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refused.value.details() == "The server has 60 bytes of messages at hand; try again"
    assert (len(small), len(first.result(180))) == (40, 60)
    assert len(call(b"alone" * 99, timeout=180)) == 495


@pytest.mark.parametrize(
    ("calls", "limits"),
    [
        pytest.param(50, {"threads": 1}, id="more than may run"),
        pytest.param(300, {}, id="more than there is room for"),
    ],
)
def test_clients_that_do_not_send_their_message_keep_nobody_else_waiting(serving, calls, limits):
    channel = serving(**limits)
    never = threading.Event()
    slow = [channel.stream_unary(METHOD).future(iter(never.wait, True)) for _ in range(calls)]

    answer = channel.unary_unary(METHOD)(b"quick", timeout=300)

    assert answer == b"quick"
    for call in slow:
        call.cancel()
    never.set()


def test_a_call_that_ends_without_a_message_is_told(serving):
    with pytest.raises(grpc.RpcError) as refused:
        serving().stream_unary(METHOD)(iter([]), timeout=180)

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "exactly one request message" in refused.value.details()


def test_connections_above_the_limit_are_refused(listening):
    target = listening(channel_arguments=(("grpc.max_allowed_incoming_connections", 2),))
    own = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.insecure_channel(target, own) for _ in range(4)]

    codes = [channel.unary_unary(METHOD).future(b"a", timeout=180).code() for channel in channels]
    for channel in channels:
        channel.close()

    ok, refused = grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE
    assert codes == [ok, ok, refused, refused]


def test_work_for_a_client_that_is_gone_is_not_begun(serving):
    began, may_end, requests = threading.Event(), threading.Event(), []

    def answer(request, _context):
        requests.append(request)
        began.set()
        may_end.wait(180)
        return request

    channel = serving(answer, threads=1)
    call = channel.unary_unary(METHOD)
    first = call.future(b"first")
    began.wait(180)
    with pytest.raises(grpc.RpcError):
        call(b"second", timeout=0.3)
    for _ in range(20):
        # What the server answers now on this connection, it read after the client's farewell;
        # the pauses leave it the time to pass that on where the machine is busy.
        channel.unary_unary(BESIDE)(b"", timeout=180)
        time.sleep(0.05)
    may_end.set()

    assert first.result(180) == b"first"
    assert call(b"last", timeout=180) == b"last"
    assert requests == [b"first", b"last"]


def test_a_header_beyond_the_limit_is_refused(serving):
    call = serving().unary_unary(METHOD)

    with pytest.raises(grpc.RpcError) as refused:
        call(b"", metadata=[("x", "a" * 100_000)], timeout=180)

    # Where the server looks at headers by frames, it ends the connection instead.
    ended = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
    assert refused.value.code() in ended
    assert call(b"still there", timeout=180) == b"still there"


def test_a_channel_argument_bounds_the_size_of_a_message(serving):
    limit = ("grpc.max_receive_message_length", 1000)
    call = serving(channel_arguments=(limit,)).unary_unary(METHOD)

    with pytest.raises(grpc.RpcError) as refused:
        call(b"a" * 1001, timeout=180)

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert call(b"a" * 1000, timeout=180) == b"a" * 1000
