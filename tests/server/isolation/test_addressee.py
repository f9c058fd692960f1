"""The model a gRPC request is for, read off its bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from model_server.api.grpc.addressee import model_of

PREDICT = "/tensorflow.serving.PredictionService/Predict"
MULTI = "/tensorflow.serving.PredictionService/MultiInference"


@given(st.text(), st.text(), st.lists(st.text(), max_size=3), st.integers(0, 2**63 - 1))
def test_it_is_the_name_that_a_parser_finds(name, signature, outputs, version):
    request = PredictRequest(output_filter=outputs)
    request.model_spec.CopyFrom(ModelSpec(name=name, signature_name=signature))
    request.model_spec.version.value = version
    request.inputs["x"].float_val.extend([1.0, 2.0])

    assert model_of(PREDICT, request.SerializeToString()) == name


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_a_spec_in_several_pieces_is_one_spec(names):
    pieces = [
        PredictRequest(model_spec={"name": name, "signature_name": "s"}).SerializeToString()
        for name in names
    ]
    message = b"".join(pieces)

    assert model_of(PREDICT, message) == PredictRequest.FromString(message).model_spec.name


@pytest.mark.parametrize(
    ("path", "message", "name"),
    [
        pytest.param(
            PREDICT.replace("Predict", "Regress"),
            RegressionRequest(model_spec={"name": "r"}),
            "r",
            id="regression",
        ),
        pytest.param(
            MULTI,
            MultiInferenceRequest(tasks=[{"model_spec": {"name": "m"}, "method_name": "x"}]),
            "m",
            id="the tasks of a multi-inference",
        ),
        pytest.param(PREDICT, PredictRequest(), "", id="no spec"),
        pytest.param(
            "/tensorflow.serving.ModelService/HandleReloadConfigRequest",
            ReloadConfigRequest(config={"model_config_list": {"config": [{"name": "c"}]}}),
            "",
            id="a request that runs no model",
        ),
    ],
)
def test_where_the_name_is_depends_on_the_method(path, message, name):
    assert model_of(path, message.SerializeToString()) == name


def test_what_members_of_a_group_ask_is_not_kept_waiting_by_other_requests_for_the_model():
    asked = PredictRequest(model_spec={"name": "m", "signature_name": "shard/hash/serving/0"})
    usual = PredictRequest(model_spec={"name": "m", "signature_name": "serving"})
    names = [model_of(PREDICT, each.SerializeToString()) for each in (asked, usual)]
    assert names == ["shard/m", "m"]


@given(st.binary(max_size=40))
def test_what_is_no_message_has_no_name_or_any_and_raises_nothing(message):
    assert isinstance(model_of(PREDICT, message), str)
