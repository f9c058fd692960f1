"""Answers to predict as serialized PredictResponses.

Source: protobuf's wire format, and the field numbers of ``predict.proto`` and ``model.proto``.
"""

from functools import lru_cache

from google.protobuf.message import EncodeError
from tensorflow_serving.apis.model_pb2 import ModelSpec as ModelSpecMessage

from model_server.api.messages.specs import fill
from model_server.servables.tensor_bytes import LARGEST, encoded, field
from model_server.service.predict import Prediction

_OUTPUTS, _MODEL_SPEC = b"\x0a", b"\x12"
# Of an entry of a map.
_KEY, _VALUE = b"\x0a", b"\x12"


def response(made: Prediction, *, as_content: bool = False) -> bytes:
    """The PredictResponse that says so; ``as_content`` as in ``tensors.encode``.

    Raises EncodeError for one that no message can hold.
    """
    parts = [
        field(_OUTPUTS, _key(alias) + field(_VALUE, encoded(array, as_content=as_content)))
        for alias, array in made.outputs.items()
    ]
    parts.append(_model_spec(made.name, made.version, made.signature_name))
    if sum(map(len, parts)) > LARGEST:
        raise EncodeError("the answer is larger than 2 GiB")
    return b"".join(parts)


@lru_cache(maxsize=4096)
def _key(alias: str) -> bytes:
    return field(_KEY, alias.encode())


@lru_cache(maxsize=4096)
def _model_spec(name: str, version: int, signature_name: str) -> bytes:
    message = ModelSpecMessage()
    fill(message, name, version, signature_name)
    return field(_MODEL_SPEC, message.SerializeToString())
