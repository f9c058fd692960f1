"""Whatever comes to the gRPC port as bytes, frames or metadata, the server goes on."""

import string

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from server.limits.http2_frames import DATA, END_STREAM, begun, call, connected, frame
from server.limits.mutations import mutated

few = settings(max_examples=100, suppress_health_check=list(HealthCheck))
SPEC = {"name": "default", "version": {"value": 123}, "signature_name": "serving_default"}
CLASSIFY = {"name": "default", "signature_name": "classify_x_to_y"}
REGRESS = {"name": "default", "signature_name": "regress_x_to_y"}
FEATURES = {"feature": {"x": {"float_list": {"value": [1.0, 2.0]}}}}
INPUT = {"example_list": {"examples": [{"features": FEATURES}]}}
TENSOR = TensorProto(dtype=1, tensor_shape={"dim": [{"size": 2}]}, float_val=[1.0, 2.0])
CONTENT = TensorProto(dtype=1, tensor_shape={"dim": [{"size": 2}]}, tensor_content=bytes(8))
PREDICT = PredictRequest(model_spec=SPEC, inputs={"x": TENSOR}, output_filter=["y"])
METHOD = "PredictionService/Predict"
SAMPLES = {
    METHOD: [
        PREDICT,
        PredictRequest(model_spec=SPEC, inputs={"x": CONTENT}),
    ],
    "PredictionService/Classify": [ClassificationRequest(model_spec=CLASSIFY, input=INPUT)],
    "PredictionService/Regress": [RegressionRequest(model_spec=REGRESS, input=INPUT)],
    "PredictionService/MultiInference": [
        MultiInferenceRequest(
            tasks=[{"model_spec": CLASSIFY, "method_name": "tensorflow/serving/classify"}],
            input=INPUT,
        )
    ],
    "PredictionService/GetModelMetadata": [
        GetModelMetadataRequest(model_spec=SPEC, metadata_field=["signature_def"])
    ],
    "ModelService/GetModelStatus": [GetModelStatusRequest(model_spec=SPEC)],
}
# Of each signature of the model ``identities``: the type's number, its field, what may be in it.
int32s = st.integers(-(2**31), 2**31 - 1)
KINDS = {
    "of_float": (1, "float_val", st.floats(width=32)),
    "of_double": (2, "double_val", st.floats()),
    "of_int32": (3, "int_val", int32s),
    "of_uint8": (4, "int_val", int32s),
    "of_int16": (5, "int_val", int32s),
    "of_string": (7, "string_val", st.binary(max_size=5)),
    "of_complex64": (8, "scomplex_val", st.floats(width=32)),
    "of_int64": (9, "int64_val", st.integers(-(2**63), 2**63 - 1)),
    "of_bool": (10, "bool_val", st.booleans()),
    "of_bfloat16": (14, "half_val", int32s),
    "of_half": (19, "half_val", int32s),
    "of_uint64": (23, "uint64_val", st.integers(0, 2**64 - 1)),
}


@st.composite
def near_tensors(draw) -> tuple[str, TensorProto]:
    """A signature and a tensor of its type, which often has as many values as it should."""
    signature = draw(st.sampled_from(sorted(KINDS)))
    number, field, elements = KINDS[signature]
    sizes = draw(st.lists(st.integers(0, 3), max_size=3))
    tensor = TensorProto(dtype=number, tensor_shape={"dim": [{"size": size} for size in sizes]})
    if draw(st.booleans()):
        getattr(tensor, field).extend(draw(st.lists(elements, max_size=27)))
    else:
        tensor.tensor_content = draw(st.binary(max_size=27 * 8))
    return signature, tensor


FAULTS_OF_THE_SERVER = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}
keys = st.sampled_from(["traceparent", "tracestate", "baggage", "authorization"]) | st.text(
    string.ascii_lowercase + string.digits + "_.-", min_size=1, max_size=20
).map(lambda name: f"x{name}".removesuffix("-bin"))
texts = st.text([chr(code) for code in range(0x20, 0x7F)], max_size=50)
metadata = st.lists(
    st.tuples(keys, texts) | st.tuples(keys.map("{}-bin".format), st.binary(max_size=50)),
    max_size=5,
)
frames = st.builds(
    frame,
    st.integers(0, 12),
    st.integers(0, 255),
    st.sampled_from([0, 1, 2, 3, 5, 2**31 - 1, 2**31]),
    st.binary(max_size=40),
)


@pytest.fixture(autouse=True)
def right_afterwards(grpc_client):
    """After each test the server still gives the right answer."""
    yield
    assert grpc_client.prediction.Predict(PREDICT, timeout=180).outputs["y"].float_val == [2.5, 3.0]


@pytest.mark.parametrize("method", SAMPLES)
@few
@given(choice=st.data())
def test_no_change_of_a_message_is_a_fault_of_the_server(grpc_client, method, choice):
    samples = [sample.SerializeToString() for sample in SAMPLES[method]]
    message = choice.draw(mutated(samples))

    future = grpc_client.channel.unary_unary(f"/tensorflow.serving.{method}").future(
        message, timeout=180
    )

    assert future.code() not in FAULTS_OF_THE_SERVER
    assert "see the server's log" not in (future.details() or "")


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(asked=near_tensors())
def test_no_tensor_of_a_type_is_a_fault_of_the_server(grpc_client, asked):
    signature, tensor = asked
    spec = {"name": "identities", "signature_name": signature}
    request = PredictRequest(model_spec=spec, inputs={"x": tensor}).SerializeToString()
    predict = grpc_client.channel.unary_unary(f"/tensorflow.serving.{METHOD}")

    assert predict.future(request, timeout=180).code() in {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
    }


@few
@given(pairs=metadata)
def test_no_metadata_keeps_a_call_from_its_answer(grpc_client, pairs):
    answer = grpc_client.prediction.Predict(PREDICT, metadata=pairs, timeout=180)

    assert answer.outputs["y"].float_val == [2.5, 3.0]


@few
@given(sent=st.lists(frames, max_size=8), rest=st.binary(max_size=20))
def test_no_frames_end_the_server(grpc_client, sent, rest):
    with connected(grpc_client.target) as connection:
        connection.sendall(begun() + b"".join(sent) + rest)


@few
@given(data=st.data())
def test_no_change_of_a_whole_call_ends_the_server(grpc_client, data):
    message = PREDICT.SerializeToString()
    whole = (
        begun()
        + call(f"/tensorflow.serving.{METHOD}".encode())
        + frame(DATA, END_STREAM, 1, b"\x00" + len(message).to_bytes(4, "big") + message)
    )

    with connected(grpc_client.target) as connection:
        connection.sendall(data.draw(mutated([whole])))
