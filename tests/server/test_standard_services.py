"""gRPC health and reflection, as generic tools use them."""

import threading
import time
from itertools import chain

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest

from model_server.api.grpc.endpoint import Listen
from model_server.api.grpc.standard_services import Health
from model_server.service.readiness import Readiness
from server.conftest import model_config
from server.transports import NAMES, TRANSPORTS

LIST_SERVICES = reflection_pb2.ServerReflectionRequest(list_services="")
STATUS_OF_TWO = GetModelStatusRequest(model_spec={"name": "two"})
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(params=NAMES)
def served(request, started, model_folders):
    """Starts a server with health for an entry of a ModelConfigList, over each transport."""

    def start(more=None):
        entry = model_config(model_folders / "two", *([more] if more else []))
        return started(entry, enable_grpc_healthcheck_service=True, transport=request.param)

    return start


def watch(running, service: str = ""):
    stub = health_pb2_grpc.HealthStub(running.grpc.channel)
    return stub.Watch(health_pb2.HealthCheckRequest(service=service))


@pytest.mark.parametrize("service", ["", "ModelService", "tensorflow.serving.PredictionService"])
def test_health_becomes_serving_when_the_models_are_loaded(served, service):
    running = served()

    seen = watch(running, service)

    assert any(answer.status == SERVING for answer in seen)
    seen.cancel()


def test_health_is_not_serving_while_a_model_is_missing(served):
    running = served("model_version_policy { specific { versions: 9 } }")
    running.http.wait_until_reason("VersionNotFound")
    stub = health_pb2_grpc.HealthStub(running.grpc.channel)

    answer = stub.Check(health_pb2.HealthCheckRequest())

    assert answer.status == NOT_SERVING


def test_health_is_unimplemented_without_its_flag(running):
    stub = health_pb2_grpc.HealthStub(running.grpc.channel)

    with pytest.raises(grpc.RpcError) as raised:
        stub.Check(health_pb2.HealthCheckRequest())

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_reflection_lists_the_services_and_describes_them(served):
    running = served()
    database = ProtoReflectionDescriptorDatabase(running.grpc.channel)

    assert "tensorflow.serving.PredictionService" in database.get_services()
    found = database.FindFileContainingSymbol("tensorflow.serving.PredictionService")
    assert found.name == "tensorflow_serving/apis/prediction_service.proto"


def test_streams_of_reflection_above_the_limit_are_refused_and_keep_nobody_waiting(served):
    running = served()
    running.http.wait_until_ready()
    channel = running.grpc.channel
    silent = threading.Event()
    reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    asking = [chain([LIST_SERVICES], iter(silent.wait, True)) for _ in range(101)]
    streams = [reflect(asks) for asks in asking[1:]]

    codes = []
    while len(codes) < 100 - 32:
        codes = [stream.code() for stream in streams if not stream.is_active()]
        time.sleep(0.01)

    assert set(codes) == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    with pytest.raises(grpc.RpcError, match="32 streams of this method are open"):
        next(reflect(asking[0]))
    running.grpc.model.GetModelStatus(STATUS_OF_TWO, timeout=180)
    for stream in streams:
        stream.cancel()
    silent.set()


def test_those_who_watch_health_keep_nobody_waiting(served):
    running = served()
    running.http.wait_until_ready()
    request = health_pb2.HealthCheckRequest(service="nobody knows it")
    stub = health_pb2_grpc.HealthStub(running.grpc.channel)

    watches = [stub.Watch(request) for _ in range(400)]
    seen = [next(watch).status for watch in watches]
    answer = running.http.post("/v1/models/two:predict", {"inputs": 2.0})
    for other in watches:
        other.cancel()

    assert set(seen) == {health_pb2.HealthCheckResponse.SERVICE_UNKNOWN}
    assert answer.status == 200


@pytest.mark.parametrize("method", ["Check", "Watch"])
def test_health_calls_without_a_message_keep_nobody_waiting(served, method):
    running = served()
    running.http.wait_until_ready()
    channel = running.grpc.channel
    silent = threading.Event()
    call = channel.stream_stream(f"/grpc.health.v1.Health/{method}")
    calls = [call(iter(silent.wait, True)) for _ in range(300)]

    request = health_pb2.HealthCheckRequest()
    answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=300)
    running.grpc.model.GetModelStatus(STATUS_OF_TWO, timeout=300)
    for other in calls:
        other.cancel()
    silent.set()

    assert answer.status in (SERVING, NOT_SERVING)


def test_a_health_request_that_does_not_parse_is_told(served):
    running = served()

    with pytest.raises(grpc.RpcError) as refused:
        running.grpc.channel.unary_unary("/grpc.health.v1.Health/Check")(b"\xff", timeout=180)

    assert refused.value.code() is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("speaks", TRANSPORTS)
def test_open_streams_are_told_the_end_and_do_not_delay_it(speaks):
    endpoint = speaks(Listen(0), Health(lambda: Readiness(())))
    channel = grpc.insecure_channel(f"127.0.0.1:{endpoint.start()}")
    silent = threading.Event()
    watching = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
    seen = [next(watching).status]
    reflect = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    reflecting = reflect(chain([LIST_SERVICES], iter(silent.wait, True)))
    next(reflecting)

    ending = threading.Thread(target=endpoint.stop, args=(3600,))
    ending.start()
    seen.extend(answer.status for answer in watching)
    ending.join(timeout=300)

    assert not ending.is_alive()
    assert seen[-1] == NOT_SERVING
    assert watching.code() is grpc.StatusCode.OK
    assert reflecting.code() is grpc.StatusCode.CANCELLED
    silent.set()
    channel.close()
