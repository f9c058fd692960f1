"""Requests and answers as PredictionLogs. Importing this imports TensorFlow's protos.

Source: TensorFlow Serving ``apis/prediction_log.proto`` and ``apis/logging.proto``.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf.message import Message
from tensorflow.core.example.example_pb2 import Example
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResponse
from tensorflow_serving.apis.inference_pb2 import MultiInferenceResponse
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.logging_pb2 import LogMetadata
from tensorflow_serving.apis.model_pb2 import ModelSpec as ModelSpecMessage
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from model_server.api.messages.examples import fill_classifications, fill_regressions
from model_server.api.messages.specs import fill
from model_server.options.message_tables import define
from model_server.request_logs.collectors import Record
from model_server.request_logs.request_logs import RequestLogs
from model_server.servables import tensors
from model_server.servables.signature import PART_PREFIX, Tensors
from model_server.service.classify import Classes
from model_server.service.example_task import Answered
from model_server.service.examples import Examples
from model_server.service.model_spec import ModelSpec
from model_server.service.predict import Prediction
from model_server.telemetry import trace_context

Pair = tuple[Any, Any]

_LOGS = {
    "Predict": "predict_log",
    "Classify": "classify_log",
    "Regress": "regress_log",
    "MultiInference": "multi_inference_log",
}
_RESPONSES: Mapping[str, type[Message]] = {
    "Predict": PredictResponse,
    "Classify": ClassificationResponse,
    "Regress": RegressionResponse,
    "MultiInference": MultiInferenceResponse,
}
# A field of ours in LogMetadata, far from upstream's: readers that do not know it pass over it.
_Traced = define(
    "modelfleet/request_log.proto", {"TracedLogMetadata": (("trace_id", 10_001, "string"),)}, (), {}
).classes["TracedLogMetadata"]
# What a task asks with and is answered with, and how its result gets into the answer.
_TASKS: Mapping[str, tuple[Callable[..., Message], Callable[[], Any], Callable[..., None]]] = {
    "Classify": (ClassificationRequest, ClassificationResponse, fill_classifications),
    "Regress": (RegressionRequest, RegressionResponse, fill_regressions),
}


@dataclass(frozen=True)
class Recording:
    """Hands sampled requests over to be logged; messages are made later, by another thread.

    ``size`` is about the memory that a request with its answer takes, in bytes.
    """

    logs: RequestLogs
    saved_model_tags: Sequence[str] = ()

    def messages(self, api: str, request: Any, response: bytes, size: int) -> None:
        """Records what was asked and answered in the messages of a gRPC method.

        The response is serialized.
        """
        if not self.logs.are_on:
            # What most servers do must cost them nothing.
            return
        if api in _LOGS:
            asked = request.tasks[0] if api == "MultiInference" else request
            spec = asked.model_spec
            if not spec.signature_name.startswith(PART_PREFIX):
                # What members of a group ask each other holds their token, and nobody replays it.
                self._take(
                    spec.name, api, size, lambda: (request, _RESPONSES[api].FromString(response))
                )

    def predict(self, spec: ModelSpec, inputs: Tensors, made: Prediction, size: int) -> None:
        """Records a predict of another transport."""
        self._take(spec.name, "Predict", size, partial(_predict, spec, inputs, made))

    def classify(
        self, spec: ModelSpec, examples: Examples, made: Answered[Classes], size: int
    ) -> None:
        """Records a classify of another transport."""
        self._take(spec.name, "Classify", size, partial(_task, "Classify", spec, examples, made))

    def regress(self, spec: ModelSpec, examples: Examples, made: Answered[Any], size: int) -> None:
        """Records a regress of another transport."""
        self._take(spec.name, "Regress", size, partial(_task, "Regress", spec, examples, made))

    def _take(self, model: str, api: str, size: int, pair: Callable[[], Pair]) -> None:
        sampled = self.logs.sample(model) if self.logs.are_on else None
        if sampled is None:
            return
        trace = trace_context.current()
        trace_id = trace.trace_id if trace else ""
        metadata = LogMetadata(
            sampling_config=sampled.sampling,
            saved_model_tags=self.saved_model_tags,
            timestamp_secs=int(time.time()),
        )
        sampled.take(size, lambda: Record(_log(api, pair(), metadata, trace_id), trace_id))


def _log(api: str, pair: Pair, metadata: LogMetadata, trace_id: str) -> PredictionLog:
    request, response = pair
    answered = response.results[0] if api == "MultiInference" else response
    metadata.model_spec.CopyFrom(answered.model_spec)
    if trace_id:
        metadata.MergeFromString(_Traced(trace_id=trace_id).SerializeToString())
    log = PredictionLog(log_metadata=metadata)
    kind = getattr(log, _LOGS[api])
    kind.request.CopyFrom(request)
    kind.response.CopyFrom(response)
    return log


def _predict(spec: ModelSpec, inputs: Tensors, made: Prediction) -> Pair:
    request, response = PredictRequest(model_spec=_spec(spec)), PredictResponse()
    for alias, array in inputs.items():
        tensors.encode(array, request.inputs[alias])
    for alias, array in made.outputs.items():
        tensors.encode(array, response.outputs[alias])
    fill(response.model_spec, made.name, made.version, made.signature_name)
    return request, response


def _task(api: str, spec: ModelSpec, examples: Examples, made: Answered[Any]) -> Pair:
    request, answer, fill_result = _TASKS[api]
    response = answer()
    fill_result(response.result, made.result)
    fill(response.model_spec, made.name, made.version, made.signature_name)
    return request(model_spec=_spec(spec), input=_input(examples)), response


def _spec(spec: ModelSpec) -> ModelSpecMessage:
    message = ModelSpecMessage(name=spec.name, signature_name=spec.signature_name)
    if spec.version is not None:
        message.version.value = spec.version
    if spec.label is not None:
        message.version_label = spec.label
    return message


def _input(examples: Examples) -> Input:
    listed: list[Message] = [Example.FromString(text) for text in examples.serialized]
    if not examples.context:
        return Input(example_list={"examples": listed})
    context = Example.FromString(examples.context)
    return Input(example_list_with_context={"examples": listed, "context": context})
