"""What both gRPC transports do alike with calls: packing, statuses, metadata, streams, the end."""

import socket
import sys
import threading

import grpc
import pytest

from model_server.api.grpc.endpoint import Listen
from model_server.api.grpc.native.endpoint import NativeEndpoint
from model_server.api.sockets import CannotListen
from server.limits.http2_frames import GOAWAY, begun, connected
from server.transports import TRANSPORTS

METHOD = "/test.Service/Method"
AMISS = "something is amiss: 100 % of \N{SNOWMAN}\nand more"


class Opened:
    """An endpoint with one method, and a channel to it."""

    def __init__(self, speaks, answer) -> None:
        self.endpoint = speaks(Listen(0))
        self.endpoint.serve({METHOD: grpc.unary_unary_rpc_method_handler(answer)})
        self.target = f"127.0.0.1:{self.endpoint.start()}"
        self.channel = grpc.insecure_channel(self.target)
        self.call = self.channel.unary_unary(METHOD)


@pytest.fixture(params=TRANSPORTS)
def opened(request):
    """Opens endpoints of a transport for a handler."""
    endpoints = []

    def open_one(answer) -> Opened:
        endpoints.append(Opened(request.param, answer))
        return endpoints[-1]

    yield open_one
    for each in endpoints:
        each.channel.close()
        each.endpoint.stop(1)


def echo(request, _context):
    return request


@pytest.mark.parametrize("size", [0, 1, 5, 16_384, 3_000_000])
@pytest.mark.parametrize("packing", list(grpc.Compression), ids=lambda packing: packing.name)
def test_messages_of_any_size_come_packed_or_not(opened, packing, size):
    message = bytes(range(256)) * (size // 256) + b"a" * (size % 256)

    assert opened(echo).call(message, timeout=180, compression=packing) == message


def test_many_calls_at_a_time_get_each_its_own_answer(opened):
    call = opened(echo).call

    calls = [call.future(b"%d" % number, timeout=180) for number in range(500)]

    assert [each.result() for each in calls] == [b"%d" % number for number in range(500)]


def test_a_status_comes_with_its_whole_message(opened):
    def abort(_request, context):
        context.abort(grpc.StatusCode.OUT_OF_RANGE, AMISS)

    with pytest.raises(grpc.RpcError) as raised:
        opened(abort).call(b"", timeout=180)

    assert raised.value.code() is grpc.StatusCode.OUT_OF_RANGE
    assert raised.value.details() == AMISS


def test_what_a_handler_says_beside_a_status_is_sent(opened):
    def abort(_request, context):
        context.set_trailing_metadata((("x-retry", "elsewhere"),))
        context.abort(grpc.StatusCode.UNAVAILABLE, "")

    with pytest.raises(grpc.RpcError) as raised:
        opened(abort).call(b"", timeout=180)

    assert ("x-retry", "elsewhere") in raised.value.trailing_metadata()


def test_a_handler_sees_metadata_and_deadline(opened):
    seen = []

    def look(_request, context):
        names = dict(context.invocation_metadata())
        seen.append((names.get("traceparent"), context.time_remaining()))
        return b""

    opened(look).call(b"", timeout=500, metadata=[("traceparent", "00-1")])
    [(trace, remaining)] = seen

    assert trace == "00-1"
    # A client that sends whole seconds rounds up.
    assert 0 < remaining <= 501


def test_a_handler_sees_that_its_client_is_gone(opened):
    began, gone = threading.Event(), threading.Event()

    def wait(_request, context):
        began.set()
        while context.is_active():
            gone.wait(0.01)
        gone.set()
        return b""

    call = opened(wait).call.future(b"")
    began.wait(180)
    call.cancel()

    assert gone.wait(180)


def test_a_method_that_nobody_knows_is_told(opened):
    with pytest.raises(grpc.RpcError) as raised:
        opened(echo).channel.unary_unary("/test.Service/Other")(b"", timeout=180)

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def kinds(frames: bytes) -> list[int]:
    """The kind of each frame, the first of which lacks its first byte."""
    found, at = [], -1
    while at + 9 <= len(frames):
        size = int.from_bytes(frames[max(at, 0) : at + 3], "big")
        found.append(frames[at + 3])
        at += 9 + size
    return found


def test_at_the_end_calls_at_hand_are_answered_and_clients_told_to_go(opened):
    began, may_end = threading.Event(), threading.Event()

    def wait(request, _context):
        began.set()
        may_end.wait(180)
        return request

    server = opened(wait)
    call = server.call.future(b"at hand", timeout=120)
    began.wait(180)
    with connected(server.target) as idle:
        idle.sendall(begun())
        idle.recv(1)
        ending = threading.Thread(target=server.endpoint.stop, args=(60,))
        ending.start()
        told = b""
        while GOAWAY not in kinds(told) and (more := idle.recv(65536)):
            told += more
    may_end.set()
    ending.join(180)

    assert call.result() == b"at hand"
    assert GOAWAY in kinds(told)
    with pytest.raises(OSError):
        socket.create_connection(server.target.rsplit(":", 1), timeout=180)


def test_a_transport_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "modelfleet_transport", None)

    with pytest.raises(CannotListen, match="needs the package modelfleet-transport"):
        NativeEndpoint(Listen(0))
