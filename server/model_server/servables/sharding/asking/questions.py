"""What members say to each other: questions and answers of PredictionService, as bytes."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.servables import tensors
from model_server.servables.dtypes import STRING
from model_server.servables.signature import Tensors

# The input by which members show each other that they are of one group.
TOKEN = "token"

Answer = Tensors | ServingError


@dataclass(frozen=True)
class Asking:
    """Of which version a question is, and the token that is shown with it, if there is one."""

    id: ServableId
    token: bytes

    def question(self, signature: str, inputs: Tensors) -> bytes:
        """The message with these inputs of a signature."""
        request = PredictRequest()
        request.model_spec.name = self.id.name
        request.model_spec.version.value = self.id.version
        request.model_spec.signature_name = signature
        for alias, value in inputs.items():
            tensors.encode(value, request.inputs[alias], as_content=True)
        if self.token:
            tensors.encode(np.array(self.token, STRING.numpy), request.inputs[TOKEN])
        message: bytes = request.SerializeToString()
        return message


def answer_of(message: bytes) -> Answer:
    """The outputs by alias; INTERNAL for what is no answer."""
    try:
        outputs: Mapping[str, object] = PredictResponse.FromString(message).outputs
        return {alias: tensors.decode(outputs[alias]) for alias in outputs}
    except (DecodeError, tensors.TensorError) as error:
        return ServingError(Code.INTERNAL, f"its answer cannot be read: {error}")
