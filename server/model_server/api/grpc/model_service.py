"""``tensorflow.serving.ModelService``."""

from dataclasses import dataclass

from tensorflow_serving.apis import model_service_pb2
from tensorflow_serving.apis.get_model_status_pb2 import (
    GetModelStatusRequest,
    GetModelStatusResponse,
)
from tensorflow_serving.apis.model_management_pb2 import (
    ReloadConfigRequest,
    ReloadConfigResponse,
)

from model_server.api.grpc.unary import Handler, serializing, unary
from model_server.api.messages.specs import required_spec
from model_server.service.metrics.serving import first_points
from model_server.service.service import Service

# From the descriptor, because reflection needs its file imported.
SERVICE = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name


@dataclass(frozen=True)
class ModelService:
    """Decodes, calls the service, encodes."""

    service: Service

    def handlers(self) -> dict[str, Handler]:
        """The handler of each method, by its full path."""
        return {
            f"/{SERVICE}/GetModelStatus": unary(GetModelStatusRequest, serializing(self.status)),
            f"/{SERVICE}/HandleReloadConfigRequest": unary(
                ReloadConfigRequest, serializing(self.reload)
            ),
        }

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

    def reload(self, request: ReloadConfigRequest) -> ReloadConfigResponse:
        """Serves what the request's configuration says. Raises ServingError."""
        before = first_points(self.service.metrics.collect())
        self.service.reload(request.config)
        after = first_points(self.service.metrics.collect())
        response = ReloadConfigResponse()
        response.status.SetInParent()
        for name in request.metric_names:
            if name in after:
                response.metric.add(name=name, int64_value_increase=after[name] - before[name])
        return response
