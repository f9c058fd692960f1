"""PredictionService/Predict: what is asked, and the exact answer."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest

INVALID, NOT_FOUND = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
X = 'inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 2.0 } }'


def request(text: str) -> PredictRequest:
    return text_format.Parse(text, PredictRequest())


REFUSED = [
    pytest.param("", INVALID, "Missing ModelSpec", id="no model_spec"),
    pytest.param("model_spec {}", INVALID, "ModelSpec has no name specified.", id="no name"),
    pytest.param(
        'model_spec { name: "nobody" }',
        NOT_FOUND,
        "Servable not found for request: Latest(nobody)",
        id="unknown model",
    ),
    pytest.param(
        'model_spec { name: "default" version { value: 99 } }',
        NOT_FOUND,
        "Servable not found for request: Specific(default, 99)",
        id="unknown version",
    ),
    pytest.param(
        'model_spec { name: "default" version_label: "X" }',
        INVALID,
        "Unrecognized servable version label: X",
        id="unknown label",
    ),
    pytest.param(
        'model_spec { name: "default" signature_name: "X" }',
        PRECONDITION,
        'Serving signature key "X" not found.',
        id="unknown signature",
    ),
    pytest.param(
        'model_spec { name: "default" }',
        INVALID,
        "input size does not match signature: 0!=1 len({}) != len({x})."
        " Sent extra: {}. Missing but required: {x}.",
        id="no inputs",
    ),
    pytest.param(
        f'model_spec {{ name: "default" }} {X.replace("x", "unknown_key1", 1)}'
        f" {X.replace('x', 'unknown_key2', 1)}",
        INVALID,
        "input size does not match signature: 2!=1 len({unknown_key1,unknown_key2}) != len({x})."
        " Sent extra: {unknown_key1,unknown_key2}. Missing but required: {x}.",
        id="two unknown inputs",
    ),
    pytest.param(
        f'model_spec {{ name: "default" }} {X.replace("x", "z", 1)}',
        INVALID,
        "Signature input alias: x(feed name: x:0) not found in request and no default value"
        " provided. Inputs expected to be in the request {z}, or default input alias set: ",
        id="one unknown input",
    ),
    pytest.param(
        'model_spec { name: "default" } inputs { key: "x" value { dtype: DT_BOOL } }',
        INVALID,
        "Expects arg[0] to be float but bool is provided",
        id="a bool for a float",
    ),
    pytest.param(
        'model_spec { name: "default" } inputs { key: "x" value { dtype: DT_STRING } }',
        INVALID,
        "Expects arg[0] to be float but string is provided",
        id="a string for a float",
    ),
    pytest.param(
        'model_spec { name: "default" } inputs { key: "x" value { dtype: DT_FLOAT'
        " tensor_shape { dim { size: -2 } } } }",
        INVALID,
        "tensor parsing error: x",
        id="a tensor that is none",
    ),
    pytest.param(
        f'model_spec {{ name: "default" }} {X} output_filter: "output_filter"',
        INVALID,
        "output tensor alias not found in signature: output_filter"
        " Outputs expected to be in the set {y}.",
        id="unknown output",
    ),
    pytest.param(
        f'model_spec {{ name: "default" }} {X} output_filter: "y" output_filter: "y"',
        INVALID,
        "duplicate output tensor alias: y",
        id="the same output twice",
    ),
]


@pytest.mark.parametrize(("text", "code", "details"), REFUSED)
def test_a_request_that_cannot_be_run_says_why(grpc_client, text, code, details):
    with pytest.raises(grpc.RpcError) as raised:
        grpc_client.prediction.Predict(request(text))

    assert (raised.value.code(), raised.value.details()) == (code, details)


def test_long_messages_are_cut(grpc_client):
    name = "n" * 2000

    with pytest.raises(grpc.RpcError) as raised:
        grpc_client.prediction.Predict(request(f'model_spec {{ name: "{name}" }}'))

    assert raised.value.details().endswith("n...TRUNCATED")
    assert len(raised.value.details()) == 1024 + len("...TRUNCATED")


def test_bytes_that_are_no_request_are_refused(grpc_client):
    call = grpc_client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

    with pytest.raises(grpc.RpcError) as raised:
        call(b"\xff\xff\xff")

    assert raised.value.code() is grpc.StatusCode.INTERNAL


def test_an_unknown_method_is_unimplemented(grpc_client):
    call = grpc_client.channel.unary_unary("/tensorflow.serving.SessionService/SessionRun")

    with pytest.raises(grpc.RpcError) as raised:
        call(b"")

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_answer_names_the_servable_and_has_one_value_for_each_element(grpc_client):
    answer = grpc_client.prediction.Predict(request(f'model_spec {{ name: "default" }} {X}'))

    assert answer == text_format.Parse(
        """
        outputs {
          key: "y"
          value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 3.0 }
        }
        model_spec { name: "default" version { value: 123 } signature_name: "serving_default" }
        """,
        type(answer)(),
    )


@pytest.mark.parametrize("shape", [(), (3,), (3, 1), (1, 3), (0, 1), (2, 2, 2)])
def test_shapes_are_left_to_the_graph(grpc_client, shape):
    x = np.full(shape, 2.0, np.float32)
    asked = PredictRequest()
    asked.model_spec.name = "default"
    asked.inputs["x"].CopyFrom(tf.make_tensor_proto(x))

    answer = grpc_client.prediction.Predict(asked)

    y = tf.make_ndarray(answer.outputs["y"])
    np.testing.assert_array_equal(y, np.full(shape, 3.0, np.float32))


@pytest.mark.parametrize(
    ("which", "version", "y"),
    [
        pytest.param("", 2, 4.0, id="latest"),
        pytest.param("version { value: 1 }", 1, 3.0, id="by version"),
        pytest.param('version_label: "stable"', 1, 3.0, id="by label"),
    ],
)
def test_a_version_is_chosen_by_number_or_label_and_is_the_latest_without(
    grpc_client, which, version, y
):
    answer = grpc_client.prediction.Predict(request(f'model_spec {{ name: "two" {which} }} {X}'))

    assert answer.outputs["y"].float_val == [y]
    assert answer.model_spec.version.value == version


@pytest.mark.parametrize(
    ("signature", "output"), [("regress_x2_to_y3", "outputs"), ("classify_x2_to_y3", "scores")]
)
def test_any_signature_can_be_predicted_with(grpc_client, signature, output):
    text = f'model_spec {{ name: "default" signature_name: "{signature}" }}'

    answer = grpc_client.prediction.Predict(request(f"{text} {X.replace('x', 'inputs', 1)}"))

    assert answer.outputs[output].float_val == [4.0]
    assert answer.model_spec.signature_name == signature


def test_state_lives_in_the_session_from_request_to_request(grpc_client):
    steps = ["get_counter", "incr_counter", "reset_counter", "incr_counter"]
    delta = 'inputs { key: "delta" value { dtype: DT_FLOAT float_val: 3.0 } }'
    spec = 'model_spec {{ name: "counter" signature_name: "{}" }} output_filter: "output"'

    answers = [grpc_client.prediction.Predict(request(spec.format(step))) for step in steps]
    answers.append(
        grpc_client.prediction.Predict(request(f"{spec.format('incr_counter_by')} {delta}"))
    )

    assert [answer.outputs["output"].float_val[0] for answer in answers] == [0, 1, 0, 1, 4]


def test_an_input_left_out_takes_its_default(grpc_client):
    answer = grpc_client.prediction.Predict(request('model_spec { name: "with_default" }'))

    assert answer.outputs["y"].float_val == [2.0]


def test_an_output_filter_leaves_out_the_rest(grpc_client):
    asked = request('model_spec { name: "pair" } output_filter: "shouted"')
    asked.inputs["numbers"].CopyFrom(tf.make_tensor_proto([[1.0, 2.0]]))
    asked.inputs["words"].CopyFrom(tf.make_tensor_proto([b"a"]))

    answer = grpc_client.prediction.Predict(asked)

    assert {alias: list(value.string_val) for alias, value in answer.outputs.items()} == {
        "shouted": [b"A"]
    }


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("float", np.array([1.5], np.float32)),
        ("double", np.array([1.5])),
        ("int32", np.array([-1], np.int32)),
        ("int16", np.array([-1], np.int16)),
        ("int8", np.array([-1], np.int8)),
        ("uint8", np.array([255], np.uint8)),
        ("string", np.array([b"\xff", b""], object)),
        ("int64", np.array([-(2**63)])),
        ("bool", np.array([True, False])),
        ("uint32", np.array([2**32 - 1], np.uint32)),
        ("uint64", np.array([2**64 - 1], np.uint64)),
        ("half", np.array([1.5], np.float16)),
        ("bfloat16", np.array([1.5]).astype(tf.bfloat16.as_numpy_dtype)),
        ("complex64", np.array([1 + 2j], np.complex64)),
        ("uint16", np.array([65535], np.uint16)),
        ("string", np.array(b"one", object)),
    ],
)
def test_every_type_comes_back_as_it_went(grpc_client, kind, value):
    asked = request(f'model_spec {{ name: "identities" signature_name: "of_{kind}" }}')
    asked.inputs["x"].CopyFrom(tf.make_tensor_proto(value))

    answer = grpc_client.prediction.Predict(asked)

    returned: TensorProto = answer.outputs["y"]
    assert returned.dtype == asked.inputs["x"].dtype
    np.testing.assert_array_equal(tf.make_ndarray(returned), value)
