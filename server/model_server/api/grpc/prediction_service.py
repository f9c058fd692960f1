"""``tensorflow.serving.PredictionService``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from google.protobuf.message import Message
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import prediction_service_pb2
from tensorflow_serving.apis.classification_pb2 import (
    ClassificationRequest,
    ClassificationResponse,
)
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
)
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from model_server.api.grpc.unary import Handler, counted, serializing
from model_server.api.grpc.waiting import Waiting, Work, unary_waiting
from model_server.api.messages import predictions
from model_server.api.messages.examples import (
    examples,
    fill_classifications,
    fill_regressions,
)
from model_server.api.messages.specs import fill, required_spec, spec_of
from model_server.core.errors import Code, ServingError
from model_server.servables import tensors
from model_server.servables.definitions import signature_defs
from model_server.servables.signature import PART_PREFIX, Signature, Tensors
from model_server.service.classify import Classes
from model_server.service.feeding import check_input_names
from model_server.service.inference import InferenceTask
from model_server.service.metrics.requests import Requests
from model_server.service.predict import PredictCall
from model_server.service.service import Service

# From the descriptor, because reflection needs its file imported.
SERVICE = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name
_SIGNATURE_DEF = "signature_def"


@dataclass(frozen=True)
class PredictionService:
    """Decodes, calls the service, encodes.

    ``answered`` is told of each success: the method, its messages, their size in bytes.
    """

    service: Service
    as_content: bool = False
    answered: Callable[[str, Any, bytes, int], None] = lambda *_exchange: None

    def handlers(self) -> dict[str, Handler]:
        """The handler of each method, by its full path."""
        methods: dict[str, tuple[type[Message], Callable[[Any], bytes]]] = {
            "Predict": (PredictRequest, self.predict),
            "Classify": (ClassificationRequest, serializing(self.classify)),
            "Regress": (RegressionRequest, serializing(self.regress)),
            "MultiInference": (MultiInferenceRequest, serializing(self.multi_inference)),
            "GetModelMetadata": (GetModelMetadataRequest, serializing(self.metadata)),
        }
        return {
            f"/{SERVICE}/{name}": counted(
                request, call, partial(self._counts, name), partial(self.answered, name)
            )
            for name, (request, call) in methods.items()
        }

    def waiting(self) -> dict[str, Waiting]:
        """The methods whose calls can wait without a thread, by their full paths."""
        return {
            f"/{SERVICE}/Predict": unary_waiting(
                PredictRequest,
                self._predict_waiting,
                partial(self._counts, "Predict"),
                partial(self.answered, "Predict"),
            )
        }

    def _predict_waiting(self, request: PredictRequest) -> Work | None:
        spec = required_spec(request)
        if not self.service.waits(spec):
            return None
        call = PredictCall(spec, partial(_decode, request.inputs), request.output_filter)
        return partial(self._predict_later, call)

    async def _predict_later(self, call: PredictCall) -> bytes:
        made = await self.service.predict_later(call)
        return predictions.response(made, as_content=self.as_content)

    def _counts(self, api: str, request: Any) -> Requests:
        if api != "MultiInference":
            name = request.model_spec.name
        else:
            name = request.tasks[0].model_spec.name if request.tasks else ""
        return self.service.metrics.requests(name, api, "GRPC")

    def predict(self, request: PredictRequest) -> bytes:
        """Runs a signature; the PredictResponse serialized. Raises ServingError."""
        call = PredictCall(
            required_spec(request), partial(_decode, request.inputs), request.output_filter
        )
        made = self.service.predict(call)
        # Members of a group read each other's rows so in a tenth of the time.
        is_of_member = made.signature_name.startswith(PART_PREFIX)
        return predictions.response(made, as_content=self.as_content or is_of_member)

    def classify(self, request: ClassificationRequest) -> ClassificationResponse:
        """Labels and scores for Examples. Raises ServingError."""
        answered = self.service.classify(required_spec(request), examples(request.input))
        response = ClassificationResponse()
        fill_classifications(response.result, answered.result)
        fill(response.model_spec, answered.name, answered.version, answered.signature_name)
        return response

    def regress(self, request: RegressionRequest) -> RegressionResponse:
        """A number for each Example. Raises ServingError."""
        answered = self.service.regress(required_spec(request), examples(request.input))
        response = RegressionResponse()
        fill_regressions(response.result, answered.result)
        fill(response.model_spec, answered.name, answered.version, answered.signature_name)
        return response

    def multi_inference(self, request: MultiInferenceRequest) -> MultiInferenceResponse:
        """Several tasks on the same Examples. Raises ServingError."""
        tasks = [
            InferenceTask(spec_of(task.model_spec), task.method_name) for task in request.tasks
        ]
        response = MultiInferenceResponse()
        for answered in self.service.multi_inference(tasks, examples(request.input)):
            result = response.results.add()
            if isinstance(answered.result, Classes):
                fill_classifications(result.classification_result, answered.result)
            else:
                fill_regressions(result.regression_result, answered.result)
            fill(result.model_spec, answered.name, answered.version, answered.signature_name)
        return response

    def metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        """The signatures of a servable. Raises ServingError."""
        spec = required_spec(request)
        if not request.metadata_field:
            raise _invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise _invalid(f"Metadata field {field} is not supported")
        found = self.service.metadata(spec)
        response = GetModelMetadataResponse()
        response.metadata[_SIGNATURE_DEF].Pack(signature_defs(found.servable))
        fill(response.model_spec, found.name, found.version)
        return response


def _decode(inputs: Mapping[str, TensorProto], signature: Signature) -> Tensors:
    check_input_names(signature, inputs)
    decoded = {}
    for alias in inputs:
        try:
            decoded[alias] = tensors.decode(inputs[alias])
        except tensors.TensorError as error:
            raise _invalid(f"tensor parsing error: {alias}") from error
    return decoded


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
