"""Which threads take the calls of the native transport, and how many calls may wait for one."""

import threading
from collections.abc import Iterator

import grpc
import pytest

from model_server.api.grpc.endpoint import Listen

pytest.importorskip("modelfleet_transport", reason="modelfleet-transport is not installed")

from model_server.api.grpc.native import endpoint
from model_server.api.grpc.native.endpoint import NativeEndpoint

QUICK, BLOCKED = "/test.Service/Quick", "/test.Service/Blocked"
LONG = 60


class Opened:
    """An endpoint of a quick method and one that blocks until it may end, and a channel to it."""

    def __init__(self, threads: int) -> None:
        self.began, self.may_end = threading.Semaphore(0), threading.Event()
        self.takers: set[int] = set()
        self.endpoint = NativeEndpoint(Listen(0, threads=threads))
        handler = grpc.unary_unary_rpc_method_handler
        self.endpoint.serve({QUICK: handler(self._quick), BLOCKED: handler(self._blocked)})
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.endpoint.start()}")

    def _quick(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        self.takers.add(threading.get_ident())
        return request

    def _blocked(self, request: bytes, _context: grpc.ServicerContext) -> bytes:
        self.began.release()
        assert self.may_end.wait(LONG)
        return request

    def call(self, method: str, message: bytes = b"") -> grpc.Future:
        """Begins a call."""
        return self.channel.unary_unary(method).future(message, timeout=LONG)

    def block(self, count: int) -> list[grpc.Future]:
        """Begins so many calls that block, and waits until all do."""
        calls = [self.call(BLOCKED, b"%d" % number) for number in range(count)]
        for _ in calls:
            assert self.began.acquire(timeout=LONG)
        return calls

    def end(self) -> None:
        self.may_end.set()
        self.channel.close()
        self.endpoint.stop(1)


@pytest.fixture
def opened() -> Iterator[list[Opened]]:
    every: list[Opened] = []
    yield every
    for each in every:
        each.end()


@pytest.mark.parametrize("blocked", [1, 2, 7])
def test_quick_calls_are_answered_by_one_thread_beside_any_number_that_block(opened, blocked):
    opened.append(server := Opened(threads=8))
    calls = server.block(blocked)

    answers = [server.call(QUICK, b"%d" % number).result() for number in range(200)]

    assert answers == [b"%d" % number for number in range(200)]
    # One after the other by the same thread: else each would wait for somebody to be woken late.
    assert len(server.takers) <= 2
    assert not any(call.done() for call in calls)
    server.may_end.set()
    assert [call.result() for call in calls] == [b"%d" % number for number in range(blocked)]


def test_calls_that_no_thread_can_take_wait_up_to_a_number_and_more_are_refused(
    opened, monkeypatch
):
    monkeypatch.setattr(endpoint, "_WAITING", 0)
    monkeypatch.setattr(endpoint, "_STREAMING", 0)
    monkeypatch.setattr(endpoint, "QUEUED", 3)
    opened.append(server := Opened(threads=2))
    blocked = server.block(2)

    ended = threading.Semaphore(0)
    calls = [server.call(QUICK, b"quick") for _ in range(10)]
    for call in calls:
        call.add_done_callback(lambda _call: ended.release())
    for _ in range(7):
        assert ended.acquire(timeout=LONG)
    refused = [call for call in calls if call.done()]
    server.may_end.set()

    assert [call.code() for call in refused] == [grpc.StatusCode.RESOURCE_EXHAUSTED] * 7
    assert [call.result() for call in calls if call not in refused] == [b"quick"] * 3
    assert [call.result() for call in blocked] == [b"0", b"1"]
