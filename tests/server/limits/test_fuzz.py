"""Whatever a client sends, it is answered rightly or as the client's fault."""

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest

few = settings(max_examples=100, suppress_health_check=list(HealthCheck))
METHODS = ["Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata"]
SERVICE = "/tensorflow.serving.PredictionService"
FAULTS_OF_THE_SERVER = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}

texts = st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["b64", "x", ""]) | texts, inner, max_size=3)
    ),
    max_leaves=12,
)
bodies = st.dictionaries(
    st.sampled_from(["instances", "inputs", "examples", "context", "signature_name"]), values
)
tensor_protos = st.builds(
    TensorProto,
    dtype=st.integers(0, 30),
    tensor_shape=st.fixed_dictionaries(
        {
            "dim": st.lists(
                st.fixed_dictionaries(
                    {"size": st.sampled_from([-1, 0, 1, 2, 3, 2**29, 2**31, 2**62, 2**63 - 1])}
                ),
                max_size=4,
            )
        }
    ),
    tensor_content=st.binary(max_size=16),
    float_val=st.lists(st.floats(width=32), max_size=4),
    int_val=st.lists(st.integers(-(2**31), 2**31 - 1), max_size=4),
    string_val=st.lists(st.binary(max_size=4), max_size=4),
)


def feature(kind, elements):
    """A Feature of one kind with up to three values."""
    return st.fixed_dictionaries(
        {kind: st.fixed_dictionaries({"value": st.lists(elements, max_size=3)})}
    )


features = st.one_of(
    feature("float_list", st.floats(width=32)),
    feature("int64_list", st.integers(-(2**63), 2**63 - 1)),
    feature("bytes_list", st.binary(max_size=3)),
    st.just({}),
)
examples = st.dictionaries(st.sampled_from(["x", "y", ""]), features, max_size=2).map(
    lambda named: Example(features={"feature": named})
)


@pytest.fixture(autouse=True)
def right_afterwards(running):
    """After each test the server still gives the right answer over both ports."""
    yield
    answer = running.http.post("/v1/models/default:predict", {"instances": [1.0, 2.0]})
    assert answer.json == {"predictions": [2.5, 3.0]}
    assert running.http.get("/readyz").status == 200


def code_of(call, request) -> grpc.StatusCode:
    """How a call ended."""
    try:
        call(request, timeout=180)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@few
@given(body=bodies, action=st.sampled_from(["predict", "classify", "regress"]))
def test_no_json_document_is_a_fault_of_the_server(http_client, body, action):
    answer = http_client.post(f"/v1/models/default:{action}", body)

    assert answer.status < 500


@few
@given(body=st.binary(), action=st.sampled_from(["predict", "classify", "regress"]))
def test_no_body_is_a_fault_of_the_server(http_client, body, action):
    answer = http_client.post(f"/v1/models/default:{action}", body)

    assert answer.status == 400


@few
@given(proto=tensor_protos)
def test_no_tensor_is_a_fault_of_the_server(grpc_client, proto):
    request = PredictRequest(model_spec={"name": "default"}, inputs={"x": proto})

    assert code_of(grpc_client.prediction.Predict, request) in {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
    }


@few
@given(listed=st.lists(examples, max_size=3))
def test_no_example_is_a_fault_of_the_server(grpc_client, listed):
    request = ClassificationRequest(
        model_spec={"name": "default", "signature_name": "classify_x_to_y"},
        input={"example_list": {"examples": listed}},
    )

    assert code_of(grpc_client.prediction.Classify, request) in {
        grpc.StatusCode.OK,
        grpc.StatusCode.INVALID_ARGUMENT,
    }


@few
@given(message=st.binary(), method=st.sampled_from(METHODS))
def test_no_bytes_for_a_message_end_the_server(grpc_client, message, method):
    code = code_of(grpc_client.channel.unary_unary(f"{SERVICE}/{method}"), message)

    assert code not in FAULTS_OF_THE_SERVER
