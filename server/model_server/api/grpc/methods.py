"""All gRPC methods of the server, by full path. Importing this imports TensorFlow's protos."""

from model_server.api.grpc.model_service import ModelService
from model_server.api.grpc.prediction_service import PredictionService
from model_server.api.grpc.unary import Handler
from model_server.api.grpc.waiting import Waiting
from model_server.api.recording import Recording
from model_server.service.service import Service


def methods(
    service: Service, recording: Recording, *, as_content: bool = False
) -> dict[str, Handler]:
    """The handlers; ``as_content`` is --enable_serialization_as_tensor_content."""
    return {
        **PredictionService(service, as_content, recording.messages).handlers(),
        **ModelService(service).handlers(),
    }


def waiting_methods(
    service: Service, recording: Recording, *, as_content: bool = False
) -> dict[str, Waiting]:
    """Those whose calls can wait for a batch without a thread."""
    return PredictionService(service, as_content, recording.messages).waiting()
