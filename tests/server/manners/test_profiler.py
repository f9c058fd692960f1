"""``tensorflow.ProfilerService``, as TensorFlow's own client and others use it."""

import threading
import time

import grpc
import pytest

from server.conftest import model_config

SERVICE = "/tensorflow.ProfilerService"


@pytest.fixture(scope="module")
def messages():
    """The messages of the service; imports TensorFlow."""
    from model_server.api.grpc import profiler_messages

    return profiler_messages


@pytest.fixture
def profile(grpc_client, messages):
    """Calls Profile of the running server."""
    return grpc_client.channel.unary_unary(
        f"{SERVICE}/Profile",
        request_serializer=messages.ProfileRequest.SerializeToString,
        response_deserializer=messages.ProfileResponse.FromString,
    )


@pytest.fixture
def terminate(grpc_client, messages):
    """Calls Terminate of the running server."""
    return grpc_client.channel.unary_unary(
        f"{SERVICE}/Terminate", request_serializer=messages.TerminateRequest.SerializeToString
    )


@pytest.fixture
def requests_coming(http_client):
    """Asks the server for predictions again and again."""
    ended = threading.Event()

    def ask():
        while not ended.is_set():
            http_client.post("/v1/models/default:predict", {"instances": [1.0]})

    asking = threading.Thread(target=ask)
    asking.start()
    yield
    ended.set()
    asking.join()


def events_of(xspace) -> list[str]:
    """The names of all events."""
    return [
        plane.event_metadata[event.metadata_id].name
        for plane in xspace.planes
        for line in plane.lines
        for event in line.events
    ]


@pytest.mark.usefixtures("requests_coming")
def test_tensorflows_client_finds_a_trace_of_the_model_in_its_folder(running, tmp_path):
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    target = running.grpc.target
    tf.profiler.experimental.client.trace(f"grpc://{target}", str(tmp_path), 2000)

    (file,) = tmp_path.glob("plugins/profile/*/*.xplane.pb")
    assert file.name == f"{target.replace(':', '_')}.xplane.pb"
    assert "SessionRun" in " ".join(events_of(XSpace.FromString(file.read_bytes())))


@pytest.mark.usefixtures("requests_coming")
def test_a_trace_is_returned_to_who_asks_for_it(profile, messages):
    request = messages.ProfileRequest(duration_ms=500, emit_xspace=True)
    answer = profile(request, timeout=180)
    while answer.empty_trace:
        # A machine may be so busy that nothing ran.
        answer = profile(request, timeout=180)

    assert events_of(answer.xspace)


def test_a_session_ends_early_when_it_is_terminated(profile, terminate, messages):
    began = time.monotonic()
    request = messages.ProfileRequest(duration_ms=600_000, session_id="s", emit_xspace=True)
    answer = profile.future(request)
    while not answer.done():
        terminate(messages.TerminateRequest(session_id="s"), timeout=180)

    assert list(answer.result().xspace.planes)
    assert time.monotonic() - began < 600


def test_one_session_runs_at_a_time(profile, terminate, messages):
    request = messages.ProfileRequest(duration_ms=600_000, session_id="s", emit_xspace=True)
    sessions = [profile.future(request), profile.future(request)]
    while not any(session.done() for session in sessions):
        time.sleep(0.01)
    while not all(session.done() for session in sessions):
        terminate(messages.TerminateRequest(session_id="s"), timeout=180)

    assert {session.code() for session in sessions} == {
        grpc.StatusCode.OK,
        grpc.StatusCode.ALREADY_EXISTS,
    }


def test_a_session_whose_client_is_gone_makes_room_for_the_next(profile, messages):
    with pytest.raises(grpc.RpcError):
        profile(messages.ProfileRequest(duration_ms=600_000, emit_xspace=True), timeout=0.5)

    code = None
    while code is not grpc.StatusCode.OK:
        request = messages.ProfileRequest(duration_ms=1, emit_xspace=True)
        code = profile.future(request).code()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"duration_ms": 3_600_001, "emit_xspace": True}, "at most 3600 s", id="long"),
        pytest.param(
            {"opts": {"start_timestamp_ns": 2**63}, "emit_xspace": True}, "at most", id="far"
        ),
        pytest.param({"duration_ms": 1}, "repository_root or emit_xspace", id="nowhere"),
        pytest.param(
            {"repository_root": "/tmp", "session_id": "../a", "host_name": "h"},
            "session_id must be one part of a path, not '../a'",
            id="a session that leaves the folder",
        ),
        pytest.param(
            {"repository_root": "/tmp", "session_id": "a", "host_name": "b/c"},
            "host_name must be one part of a path, not 'b/c'",
            id="a host that leaves the folder",
        ),
    ],
)
def test_a_profile_that_cannot_be_is_refused(profile, messages, fields, message):
    with pytest.raises(grpc.RpcError) as refused:
        profile(messages.ProfileRequest(**fields), timeout=180)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert message in refused.value.details()


def test_a_folder_that_cannot_be_written_is_told(profile, messages):
    request = messages.ProfileRequest(
        duration_ms=1, repository_root="/proc/none", session_id="s", host_name="h"
    )

    with pytest.raises(grpc.RpcError) as refused:
        profile(request, timeout=180)

    assert "/proc/none" in refused.value.details()
    assert refused.value.code() is not grpc.StatusCode.INTERNAL


def test_monitoring_is_unimplemented_as_upstream(grpc_client):
    with pytest.raises(grpc.RpcError) as refused:
        grpc_client.channel.unary_unary(f"{SERVICE}/Monitor")(b"", timeout=180)

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_flag_turns_the_profiler_off(started, model_folders):
    running = started(model_config(model_folders / "two"), enable_profiler=False)
    running.http.wait_until_ready()

    with pytest.raises(grpc.RpcError) as refused:
        running.grpc.channel.unary_unary(f"{SERVICE}/Profile")(b"", timeout=180)

    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
