"""What members' messages meet on their way, by grpcio and by the native transport alike."""

import socket
import threading
import time
from concurrent import futures
from contextlib import closing, contextmanager, suppress

import grpc
import pytest

from model_server.core.errors import Code, ServingError
from model_server.servables.sharding.asking.grpcio_lines import GrpcioLines
from model_server.servables.sharding.asking.methods import PREDICT
from model_server.servables.sharding.asking.native_lines import NativeLines, is_installed
from server.conftest import free_port

_needs_extension = pytest.mark.skipif(
    not is_installed(), reason="modelfleet-transport is not installed, or an old one"
)


@pytest.fixture(
    params=[
        pytest.param(lambda seconds: GrpcioLines(seconds, None), id="grpcio"),
        pytest.param(NativeLines, id="native", marks=_needs_extension),
    ]
)
def lines(request):
    return request.param(5.0)


@contextmanager
def answering(answer, port=0):
    """A server with one method; its address."""
    server = grpc.server(
        futures.ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)]
    )
    service, _, method = PREDICT[1:].partition("/")
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {method: handler})]
    )
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def echo(message, _context):
    return message


def test_several_are_asked_at_the_same_time_and_answer_in_order(lines):
    met = futures.Future()

    def waits(message, _context):
        return message + met.result(180)

    def lets_go(message, _context):
        met.set_result(b" met")
        return message

    with answering(waits) as first, answering(lets_go) as second:
        assert lines.ask([(first, b"one"), (second, b"two")]) == [b"one met", b"two"]


@pytest.mark.parametrize("size", [0, 1, 70_000, 9_000_000])
def test_messages_of_any_size_go_and_come(lines, size):
    message = b"rows" * (size // 4) + b"." * (size % 4)
    with answering(echo) as address:
        assert lines.ask([(address, message)]) == [message]


def test_nobody_is_asked_nothing(lines):
    assert lines.ask([]) == []


def test_the_status_of_a_server_is_the_answer(lines):
    said = 'Serving signature key "shard/x" not found: 100 % \N{SNOWMAN}'

    def refuse(_message, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, said)

    with answering(refuse) as address, answering(echo) as other:
        refused, answered = lines.ask([(address, b"one"), (other, b"two")])
    assert isinstance(refused, ServingError)
    assert (refused.code, refused.message) == (Code.FAILED_PRECONDITION, said)
    assert answered == b"two"


def test_who_is_not_there_is_unavailable_until_there_is_somebody(lines):
    port = free_port()
    (missed,) = lines.ask([(f"127.0.0.1:{port}", b"one")])
    assert missed.code is Code.UNAVAILABLE
    with answering(echo, port) as address:
        until_answered(lines, address)


def test_a_server_that_was_started_anew_is_found_again(lines):
    with answering(echo) as address:
        assert lines.ask([(address, b"one")]) == [b"one"]
    with answering(echo, int(address.rpartition(":")[2])):
        until_answered(lines, address)


def until_answered(lines, address):
    until = time.monotonic() + 180
    answer = None
    while answer != b"again":
        (answer,) = lines.ask([(address, b"again")])
        assert time.monotonic() < until, answer


@pytest.mark.parametrize("kind", [lambda s: GrpcioLines(s, None), NativeLines])
def test_who_accepts_and_says_nothing_is_waited_for_until_the_deadline(kind):
    if kind is NativeLines and not is_installed():
        pytest.skip("modelfleet-transport is not installed, or an old one")
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        (late,) = kind(0.2).ask([(f"127.0.0.1:{silent.getsockname()[1]}", b"one")])
    assert late.code is Code.DEADLINE_EXCEEDED


def test_what_is_no_grpc_is_no_answer(lines):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=speak_http, args=[server], daemon=True).start()
        (answer,) = lines.ask([(f"127.0.0.1:{server.getsockname()[1]}", b"one")])
    assert answer.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED)


def speak_http(server):
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
