"""``tensorflow.serving.ModelService``."""

from dataclasses import dataclass

from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)

from model_server.api.grpc.specs import required_spec
from model_server.api.grpc.unary import Handler, unary
from model_server.service.service import Service

SERVICE = "tensorflow.serving.ModelService"


@dataclass(frozen=True)
class ModelService:
    """Decodes, calls the service, encodes."""

    service: Service

    def handlers(self) -> dict[str, Handler]:
        """The handler of each method, by its full path."""
        return {f"/{SERVICE}/GetModelStatus": unary(GetModelStatusRequest, self.status)}

    def status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """The state of a model's versions. Raises ServingError."""
        spec = required_spec(request)
        response = GetModelStatusResponse()
        for version in self.service.status(spec.name, spec.version):
            entry = response.model_version_status.add()
            entry.version = version.id.version
            entry.state = int(version.state)
            entry.status.SetInParent()
            if version.error is not None:
                entry.status.error_code = int(version.error.code)
                entry.status.error_message = version.error.message
        return response
