"""ModelSpec messages to and from the service's own."""

from typing import Any

from tensorflow_serving.apis.model_pb2 import ModelSpec as ModelSpecMessage

from model_server.core.errors import Code, ServingError
from model_server.service.model_spec import ModelSpec


def required_spec(request: Any) -> ModelSpec:
    """The spec of a request. Raises ServingError if it has none."""
    if not request.HasField("model_spec"):
        raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
    return spec_of(request.model_spec)


def spec_of(message: ModelSpecMessage) -> ModelSpec:
    """The spec that a message holds."""
    choice = message.WhichOneof("version_choice")
    return ModelSpec(
        message.name,
        message.version.value if choice == "version" else None,
        message.version_label if choice == "version_label" else None,
        message.signature_name,
    )


def fill(message: ModelSpecMessage, name: str, version: int, signature_name: str = "") -> None:
    """Says in an answer which servable and signature made it."""
    message.name = name
    message.version.value = version
    message.signature_name = signature_name
