"""Tensors of 2 GiB, real or claimed, end in an error and take no memory that they do not have."""

import resource
import struct

import grpc
import numpy as np
import pytest
from google.protobuf.message import EncodeError
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from model_server.api.grpc.unary import unary
from model_server.servables.tensors import encode
from server.limits.http2_frames import DATA, begun, call, connected, frame

PREDICT = "/tensorflow.serving.PredictionService/Predict"
GIB = 2**30


@pytest.fixture(autouse=True)
def little_memory(running):
    """No test here makes the process a gibibyte larger than it ever was."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown * 1024 < GIB


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"float_val": [1.0]}, id="one value that fills it"),
        pytest.param({}, id="no value at all"),
        pytest.param({"tensor_content": b"abcd"}, id="little content"),
    ],
)
@pytest.mark.parametrize("sizes", [[2**29], [2**15, 2**14], [2**31], [2**62, 2]], ids=str)
def test_a_shape_of_2_gib_without_its_values_is_refused(grpc_client, sizes, fields):
    shape = {"dim": [{"size": size} for size in sizes]}
    tensor = TensorProto(dtype=1, tensor_shape=shape, **fields)
    request = PredictRequest(model_spec={"name": "default"}, inputs={"x": tensor})

    with pytest.raises(grpc.RpcError) as refused:
        grpc_client.prediction.Predict(request, timeout=180)

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == "tensor parsing error: x"


def test_a_shape_that_its_last_value_fills_is_run_where_it_is_small(grpc_client):
    tensor = TensorProto(dtype=1, tensor_shape={"dim": [{"size": 10**6}]}, float_val=[2.0])
    request = PredictRequest(model_spec={"name": "default"}, inputs={"x": tensor})

    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(grpc_client.target, options) as channel:
        data = channel.unary_unary(PREDICT)(request.SerializeToString(), timeout=180)

    assert len(data) > 4 * 10**6


@pytest.mark.parametrize("length", [2**31 - 1, 2**31, 2**32 - 1])
def test_a_message_that_is_announced_and_does_not_come_takes_no_memory(grpc_client, length):
    announced = b"\x00" + struct.pack(">I", length) + b"a" * 10

    with connected(grpc_client.target) as connection:
        connection.sendall(begun() + call(PREDICT.encode()) + frame(DATA, 0, 1, announced))
        request = PredictRequest(model_spec={"name": "default"}, inputs={"x": float_tensor(2.0)})
        answer = grpc_client.prediction.Predict(request, timeout=180)

    assert answer.outputs["y"].float_val == [3.0]


def test_a_length_inside_a_message_that_exceeds_it_is_refused(grpc_client):
    # Field 2, a map entry of almost 2 GiB, of which ten bytes come.
    message = b"\x12\xff\xff\xff\xff\x07" + b"a" * 10

    with pytest.raises(grpc.RpcError) as refused:
        grpc_client.channel.unary_unary(PREDICT)(message, timeout=180)

    assert refused.value.code() is grpc.StatusCode.INTERNAL


def test_a_json_body_of_2_gib_is_refused_before_it_is_sent(http_client):
    answer = http_client.request(
        "POST", "/v1/models/default:predict", b"{", Content_Length=str(2 * GIB)
    )

    assert answer.status == 413
    assert "larger than the 268435456 bytes of --rest_api_max_body_bytes" in answer.json["error"]


def test_an_output_that_no_message_can_hold_is_told():
    # Views of one number: they have the size without the memory.
    huge = np.broadcast_to(np.float32(1.0), 2**29)

    with pytest.raises(EncodeError, match="2147483648 bytes"):
        encode(huge, TensorProto())


def test_a_client_is_told_that_its_answer_is_too_large(serving):
    def answer(_request):
        raise EncodeError("as protobuf does")

    handler = unary(PredictRequest, answer)
    with pytest.raises(grpc.RpcError) as refused:
        serving(handler).unary_unary(PREDICT)(b"", timeout=180)

    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than the 2 GiB" in refused.value.details()


@pytest.fixture
def serving():
    """Serves one handler as Predict; returns a channel."""
    from model_server.api.grpc.endpoint import GrpcEndpoint, Listen

    endpoints, channels = [], []

    def serve(handler) -> grpc.Channel:
        endpoints.append(GrpcEndpoint(Listen(0)))
        endpoints[-1].serve({PREDICT: handler})
        channels.append(grpc.insecure_channel(f"127.0.0.1:{endpoints[-1].start()}"))
        return channels[-1]

    yield serve
    for channel in channels:
        channel.close()
    for endpoint in endpoints:
        endpoint.stop(grace=1)


def float_tensor(value: float) -> TensorProto:
    """A scalar."""
    return TensorProto(dtype=1, float_val=[value])
