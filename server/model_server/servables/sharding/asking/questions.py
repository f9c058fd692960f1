"""What members say to each other: questions and answers of PredictionService, as bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse

from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.servables import tensor_bytes, tensors
from model_server.servables.dtypes import STRING
from model_server.servables.signature import Tensor, Tensors
from model_server.servables.tensor_bytes import field

# The input by which members show each other that they are of one group.
TOKEN = "token"
# Tags of predict.proto: the inputs of a request, which are a map, and its entries' fields.
_INPUTS, _KEY, _VALUE = b"\x12", b"\x0a", b"\x12"

Answer = Tensors | ServingError


@dataclass(frozen=True)
class Asking:
    """Of which version a question is, and the token that is shown with it, if there is one."""

    id: ServableId
    token: bytes

    def question(self, signature: str, inputs: Tensors) -> bytes:
        """The message with these inputs of a signature."""
        entries = [
            field(_INPUTS, _key(alias) + field(_VALUE, _tensor(value)))
            for alias, value in inputs.items()
        ]
        return b"".join((_head(self, signature), *entries))


# The same for all questions of a level. Fields of a message may come in any order and be joined.
@lru_cache(maxsize=1024)
def _head(asking: Asking, signature: str) -> bytes:
    request = PredictRequest()
    request.model_spec.name = asking.id.name
    request.model_spec.version.value = asking.id.version
    request.model_spec.signature_name = signature
    if asking.token:
        tensors.encode(np.array(asking.token, STRING.numpy), request.inputs[TOKEN])
    message: bytes = request.SerializeToString()
    return message


def _tensor(array: Tensor) -> bytes:
    if not tensor_bytes.is_plain(array, as_content=True):
        return tensor_bytes.serialized(array, as_content=True)
    beginning = tensor_bytes.head(array.dtype, array.shape, as_content=True)
    return b"".join((beginning, tensor_bytes.content(array)))


@lru_cache(maxsize=1024)
def _key(alias: str) -> bytes:
    return field(_KEY, alias.encode())


def answer_of(message: bytes) -> Answer:
    """The outputs by alias; INTERNAL for what is no answer."""
    try:
        outputs: Mapping[str, object] = PredictResponse.FromString(message).outputs
        return {alias: tensors.decode(outputs[alias]) for alias in outputs}
    except (DecodeError, tensors.TensorError) as error:
        return ServingError(Code.INTERNAL, f"its answer cannot be read: {error}")
