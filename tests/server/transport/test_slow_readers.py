"""Answers that their clients do not read are bounded, like requests."""

import grpc
import pytest

from model_server.api.grpc.endpoint import Listen
from model_server.api.rest.listening import ConnectionLimits
from model_server.api.rest.listening import Listen as RestListen
from model_server.api.rest.pages import Watch
from model_server.service.readiness import Readiness
from server.transport.h2_client import H2Client, framed
from server.transports import REST_TRANSPORTS, TRANSPORTS

METHOD = "/test.Service/Large"
SIZE = 10**6
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


@pytest.fixture
def large():
    """Opens ports of the native transport that answer whatever they are asked with a megabyte."""
    endpoints = []

    def open_one(**limits) -> str:
        endpoint = TRANSPORTS[-1].values[0](Listen(0, **limits))
        handler = grpc.unary_unary_rpc_method_handler(lambda _request, _context: bytes(SIZE))
        endpoint.serve({METHOD: handler})
        endpoints.append(endpoint)
        return f"127.0.0.1:{endpoint.start()}"

    yield open_one
    for endpoint in endpoints:
        endpoint.stop(1)


def begun(client: H2Client) -> int:
    """A call of which the server says at least how it begins to answer."""
    stream = client.begin(METHOD)
    client.send(stream, [framed(b"")])
    while not client.so_far(stream).headers:
        client.receive()
    return stream


# The first limit by number, the second by bytes.
@pytest.mark.parametrize("limits", [{"in_flight": 3}, {"at_hand": 3 * SIZE}], ids=str)
def test_answers_that_nobody_reads_keep_their_place_until_they_are_read(large, limits):
    target = large(**limits)
    with H2Client(target, window=0) as silent, H2Client(target) as other:
        unread = [begun(silent) for _ in range(3)]
        refused = [begun(silent), begun(silent)]
        elsewhere = other.ask(METHOD, framed(b""))
        for stream in unread:
            silent.connection.increment_flow_control_window(SIZE + 5, stream)
        silent.flush()
        read = [silent.answer(stream) for stream in unread]
        afterwards = other.ask(METHOD, framed(b""))

    assert [silent.so_far(stream).status for stream in refused] == [EXHAUSTED] * 2
    assert elsewhere.status == EXHAUSTED
    assert [len(answer.body) for answer in [*read, afterwards]] == [SIZE + 5] * 4


def test_calls_of_a_client_that_leaves_without_reading_give_their_places_back(large):
    target = large(in_flight=3)
    with H2Client(target, window=0) as silent:
        for _ in range(3):
            begun(silent)

    answer = None
    with H2Client(target) as other:
        while answer is None or answer.status == EXHAUSTED:
            answer = other.ask(METHOD, framed(b""))

    assert answer.status == 0


def test_a_client_that_takes_nothing_of_its_answer_is_left():
    limits = ConnectionLimits(patience=0.2)
    watch = Watch(lambda: Readiness(()), lambda: "{}")
    endpoint = REST_TRANSPORTS[-1].values[0](
        RestListen(0, connections=limits), lambda *_asked: "", watch
    )
    with H2Client(f"127.0.0.1:{endpoint.start()}", window=0) as silent:
        silent.begin("/healthz", [(":method", "GET")], end_stream=True)
        silent.socket.settimeout(60)
        # What comes until the server closes.
        while silent.socket.recv(65536):
            pass
    endpoint.stop(1)
