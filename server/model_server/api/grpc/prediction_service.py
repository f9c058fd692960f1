"""``tensorflow.serving.PredictionService``."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from model_server.api.grpc.specs import fill, required_spec
from model_server.api.grpc.unary import Handler, unary
from model_server.core.errors import Code, ServingError
from model_server.servables import tensors
from model_server.servables.signature import Signature, Tensors
from model_server.service.feeding import check_input_names
from model_server.service.predict import PredictCall
from model_server.service.service import Service

SERVICE = "tensorflow.serving.PredictionService"


@dataclass(frozen=True)
class PredictionService:
    """Decodes, calls the service, encodes."""

    service: Service
    as_content: bool = False

    def handlers(self) -> dict[str, Handler]:
        """The handler of each method, by its full path."""
        return {f"/{SERVICE}/Predict": unary(PredictRequest, self.predict)}

    def predict(self, request: PredictRequest) -> PredictResponse:
        """Runs a signature. Raises ServingError."""
        call = PredictCall(
            required_spec(request), partial(_decode, request.inputs), list(request.output_filter)
        )
        prediction = self.service.predict(call)
        response = PredictResponse()
        for alias, array in prediction.outputs.items():
            tensors.encode(array, response.outputs[alias], as_content=self.as_content)
        fill(response.model_spec, prediction.name, prediction.version, prediction.signature_name)
        return response


def _decode(inputs: Mapping[str, TensorProto], signature: Signature) -> Tensors:
    check_input_names(signature, inputs)
    decoded = {}
    for alias in inputs:
        try:
            decoded[alias] = tensors.decode(inputs[alias])
        except tensors.TensorError as error:
            raise ServingError(Code.INVALID_ARGUMENT, f"tensor parsing error: {alias}") from error
    return decoded
