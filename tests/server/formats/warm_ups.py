"""Files of recorded requests, as TensorFlow Serving's users write them beside their models."""

from pathlib import Path

import tensorflow as tf
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.apis.regression_pb2 import RegressionRequest


def warm_up_file(version: Path) -> Path:
    """Where the file of a version folder is; its folder is made."""
    file = version / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir(exist_ok=True)
    return file


def write(version: Path, *records: bytes) -> None:
    """Writes a version's file with these records."""
    with tf.io.TFRecordWriter(str(warm_up_file(version))) as writer:
        for record in records:
            writer.write(record)


def predict(signature: str = "", **inputs: object) -> bytes:
    """A record of a Predict that names no model."""
    request = PredictRequest()
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    return PredictionLog(predict_log={"request": request}).SerializeToString()


def classify() -> bytes:
    """A record of a Classify of x = 2, by another model and version."""
    request = ClassificationRequest()
    request.model_spec.name = "recorded_elsewhere"
    request.model_spec.version.value = 77
    request.model_spec.signature_name = "classify_x_to_y"
    add_example(request)
    return PredictionLog(classify_log={"request": request}).SerializeToString()


def regress() -> bytes:
    """A record of a Regress of x = 2."""
    request = RegressionRequest()
    request.model_spec.signature_name = "regress_x_to_y"
    add_example(request)
    return PredictionLog(regress_log={"request": request}).SerializeToString()


def multi_inference() -> bytes:
    """A record of a MultiInference of x = 2."""
    request = MultiInferenceRequest()
    add_example(request)
    for name, method in (("regress_x_to_y", "regress"), ("classify_x_to_y", "classify")):
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.name = "recorded_elsewhere"
        task.model_spec.signature_name = name
    return PredictionLog(multi_inference_log={"request": request}).SerializeToString()


def session_run() -> bytes:
    """A record that no server can replay."""
    return PredictionLog(session_run_log={}).SerializeToString()


def predict_streamed() -> bytes:
    """Another one."""
    return PredictionLog(predict_streamed_log={}).SerializeToString()


def add_example(request) -> None:
    example = request.input.example_list.examples.add()
    example.features.feature["x"].float_list.value.append(2.0)
