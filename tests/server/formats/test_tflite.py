"""TensorFlow Lite models are served over both APIs, beside SavedModels or instead of them."""

from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.schema_py_generated import TensorType
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from server import saved_models
from server.conftest import model_config, serve
from server.formats import tflite_models as models


def lite_config(folder: Path) -> str:
    return model_config(folder).replace('"tensorflow"', '"tflite"')


@pytest.fixture(scope="module")
def lite(tmp_path_factory):
    """A server that prefers TensorFlow Lite, with models of both platforms in several states."""
    root = tmp_path_factory.mktemp("lite")
    # The SavedModels beside add 3 and 4, the TFLite models 2.
    saved_models.half_plus_two(root / "both" / "1", addend=3.0)
    models.written(root / "both" / "1", models.half_plus_two())
    saved_models.half_plus_two(root / "saved" / "1", addend=4.0)
    models.written(root / "only" / "1", models.half_plus_two())
    models.written(root / "classified" / "1", models.both())
    models.written(root / "scores" / "1", models.scores())
    models.written(root / "regression" / "1", models.regression())
    models.written(root / "two" / "1", models.two_signatures())
    models.written(root / "words" / "1", models.packed(models.reshape(TensorType.STRING)))
    models.written(root / "named" / "1", models.half_plus_two())
    beside = {"both", "saved", "named"}
    running = serve(
        " ".join(
            model_config(folder) if folder.name in beside else lite_config(folder)
            for folder in sorted(root.iterdir())
        ),
        prefer_tflite_model=True,
        num_tflite_pools=2,
    )
    running.http.wait_until_ready()
    yield running
    running.end()


@pytest.mark.parametrize(
    ("model", "signature", "inputs"),
    [
        ("only", "", {"x": np.array([[1.0], [3.0]], np.float32)}),
        ("only", "", {"x": np.array([], np.float32)}),
        ("two", "half", {"x": np.array([[2.0]], np.float32)}),
        ("two", "positive", {"x": np.array([2.0, -1.0, 3.0], np.float32)}),
        ("two", "positive", {"x": np.array([2.0], np.float32)}),
        (
            "words",
            "",
            {"list": np.array(["a", "é", "", "d"], object), "shape": np.array([2, 2], np.int32)},
        ),
    ],
)
def test_both_apis_give_the_same_answer(lite, model, signature, inputs):
    request = PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    columns = {alias: value.tolist() for alias, value in inputs.items()}

    by_grpc = lite.grpc.prediction.Predict(request)
    by_rest = lite.http.post(
        f"/v1/models/{model}:predict", {"signature_name": signature, "inputs": columns}
    )

    (output,) = by_grpc.outputs.values()
    found = tf.make_ndarray(output)
    sent = np.char.decode(found.astype("S"), "utf-8") if found.dtype == object else found
    assert by_rest.json == {"outputs": sent.tolist()}


@pytest.mark.parametrize(
    ("model", "answer"),
    [("both", [[2.5]]), ("only", [[2.5]]), ("saved", [[4.5]])],
)
def test_model_tflite_is_preferred_where_there_is_one(lite, model, answer):
    asked = lite.http.post(f"/v1/models/{model}:predict", {"inputs": [[1.0]]})

    assert asked.json == {"outputs": answer}


def test_under_the_flag_inputs_and_outputs_go_by_the_names_of_tensors_as_upstream(lite):
    request = PredictRequest(model_spec={"name": "named"})
    request.inputs["serving_default_x"].CopyFrom(tf.make_tensor_proto([[1.0]], tf.float32))

    outputs = lite.grpc.prediction.Predict(request).outputs

    assert {name: tf.make_ndarray(value).tolist() for name, value in outputs.items()} == {
        "PartitionedCall": [[2.5]]
    }


def test_a_saved_model_is_preferred_without_the_flag(started, tmp_path):
    saved_models.half_plus_two(tmp_path / "m" / "1", addend=3.0)
    models.written(tmp_path / "m" / "1", models.half_plus_two())
    running = started(model_config(tmp_path / "m"))
    running.http.wait_until_ready()

    asked = running.http.post("/v1/models/m:predict", {"inputs": [[1.0]]})

    assert asked.json == {"outputs": [[3.5]]}


def test_the_platform_can_be_named(started, tmp_path):
    models.written(tmp_path / "m" / "1", models.half_plus_two())
    running = started(lite_config(tmp_path / "m"))
    running.http.wait_until_ready()

    asked = running.http.post("/v1/models/m:predict", {"instances": [[1.0], [2.0]]})

    assert asked.json == {"predictions": [[2.5], [3.0]]}


def test_metadata_tells_the_signatures(lite):
    request = GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "words"

    by_grpc = lite.grpc.prediction.GetModelMetadata(request)
    by_rest = lite.http.get("/v1/models/two/metadata").json["metadata"]["signature_def"]

    assert by_grpc.metadata["signature_def"].type_url.endswith("SignatureDefMap")
    assert by_rest["signature_def"].keys() == {"half", "positive"}
    assert by_rest["signature_def"]["half"]["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}],
            "unknown_rank": False,
        },
        "name": "half_x:0",
    }


@pytest.mark.parametrize(
    ("value", "code", "details"),
    [
        (
            np.array([[1.0]], np.float64),
            grpc.StatusCode.INVALID_ARGUMENT,
            "Expects arg[0] to be float but double is provided",
        ),
        (
            np.array([["a"]], object),
            grpc.StatusCode.INVALID_ARGUMENT,
            "Expects arg[0] to be float but string is provided",
        ),
    ],
)
def test_inputs_of_another_type_are_refused(lite, value, code, details):
    request = PredictRequest()
    request.model_spec.name = "only"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto(value))

    with pytest.raises(grpc.RpcError) as raised:
        lite.grpc.prediction.Predict(request)

    assert (raised.value.code(), raised.value.details()) == (code, details)


def test_a_broken_tflite_model_is_told_and_the_saved_model_beside_it_not_served(started, tmp_path):
    saved_models.half_plus_two(tmp_path / "m" / "1")
    models.written(tmp_path / "m" / "1", models.half_plus_two()[:-200])

    running = started(
        model_config(tmp_path / "m"), prefer_tflite_model=True, max_num_load_retries=0
    )
    running.http.wait_until_reason("LoadFailed")

    (version,) = running.http.get("/v1/models/m").json["model_version_status"]
    assert version["status"]["error_code"] == "DATA_LOSS"
    assert "Cannot build FlatBufferModel from buffer." in version["status"]["error_message"]


def asked_with_examples(request):
    """The request with an Example of x = 0.25 and one of x = 1."""
    for number in (0.25, 1.0):
        feature = request.input.example_list.examples.add().features.feature["x"]
        feature.float_list.value.append(number)
    return request


def test_classify_asks_a_model_that_parses_examples(lite):
    request = asked_with_examples(ClassificationRequest())
    request.model_spec.name = "scores"

    by_grpc = lite.grpc.prediction.Classify(request).result.classifications
    by_rest = lite.http.post("/v1/models/scores:classify", {"examples": [{"x": 0.25}, {"x": 1.0}]})

    scores = [[each.score for each in one.classes] for one in by_grpc]
    assert scores == [[0.25, 0.75], [1.0, 0.0]]
    assert by_rest.json == {"results": [[["", 0.25], ["", 0.75]], [["", 1.0], ["", 0.0]]]}


def test_regress_asks_a_model_that_parses_examples(lite):
    request = asked_with_examples(RegressionRequest())
    request.model_spec.name = "regression"

    by_grpc = lite.grpc.prediction.Regress(request).result.regressions
    by_rest = lite.http.post("/v1/models/regression:regress", {"examples": [{"x": 0.25}, {}]})

    assert [each.value for each in by_grpc] == [2.125, 2.5]
    assert by_rest.json == {"results": [2.125, 5.5]}


def test_multi_inference_asks_signatures_of_the_metadata(lite):
    request = asked_with_examples(MultiInferenceRequest())
    for name, method in (("r", "regress"), ("c", "classify")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = "classified"
        task.model_spec.signature_name = name

    regressed, classified = lite.grpc.prediction.MultiInference(request).results

    assert [each.value for each in regressed.regression_result.regressions] == [1.25, 2.0]
    scores = classified.classification_result.classifications
    assert [[each.score for each in one.classes] for one in scores] == [[0.25, 0.75], [1.0, 0.0]]
