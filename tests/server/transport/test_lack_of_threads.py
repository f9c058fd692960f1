"""A system that has no more threads: those that there are go on, and more come when they can."""

import logging
import threading

import grpc
import pytest

from model_server.api.grpc.endpoint import Listen
from model_server.api.grpc.native.endpoint import NativeEndpoint
from server.transports import needs_extension

pytestmark = needs_extension
SLOW, FAST = "/test.Service/Slow", "/test.Service/Fast"


@pytest.fixture
def lack(monkeypatch):
    """While it is set no thread of the port can be started."""
    lacking = threading.Event()
    start = threading.Thread.start

    def start_if_there_is_one(thread: threading.Thread) -> None:
        if lacking.is_set() and thread.name.startswith("native-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_if_there_is_one)
    return lacking


@pytest.fixture
def may_end():
    """Lets the slow calls end."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def began():
    """Tells that a slow call has taken a thread."""
    return threading.Event()


@pytest.fixture
def ask(began, may_end):
    """Begins a call of the server, which has one thread until the first call takes it."""

    def slow(request: bytes, _context: grpc.ServicerContext) -> bytes:
        began.set()
        assert may_end.wait(180)
        return request

    endpoint = NativeEndpoint(Listen(0))
    methods = {SLOW: slow, FAST: lambda request, _context: request}
    endpoint.serve(
        {path: grpc.unary_unary_rpc_method_handler(each) for path, each in methods.items()}
    )
    with grpc.insecure_channel(f"127.0.0.1:{endpoint.start()}") as channel:
        yield lambda path: channel.unary_unary(path).future(b"x", timeout=180)
    endpoint.stop(5)


def test_calls_wait_for_threads_that_there_are_and_get_more_when_there_are_more(
    lack, ask, began, may_end, caplog
):
    lack.set()
    slow = [ask(SLOW) for _ in range(4)]
    assert began.wait(180)
    with pytest.raises(grpc.FutureTimeoutError):
        ask(FAST).result(timeout=0.5)
    lack.clear()

    assert ask(FAST).result(timeout=180) == b"x"

    assert not any(call.done() for call in slow)
    may_end.set()
    assert [call.result() for call in slow] == [b"x"] * 4
    said = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert len(said) == 1
    assert said[0].endswith("threads can answer: can't start new thread")
