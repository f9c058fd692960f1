"""Answers to predict as serialized PredictResponses.

Source: protobuf's wire format, and the field numbers of ``predict.proto`` and ``model.proto``.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.message import EncodeError
from tensorflow_serving.apis.model_pb2 import ModelSpec as ModelSpecMessage

from model_server.api.messages.specs import fill
from model_server.servables import tensor_bytes
from model_server.servables.tensor_bytes import LARGEST, field, varint
from model_server.service.predict import Prediction

_OUTPUTS, _MODEL_SPEC = b"\x0a", b"\x12"
# Of an entry of a map.
_KEY, _VALUE = b"\x0a", b"\x12"


def response(made: Prediction, *, as_content: bool = False) -> bytes:
    """The PredictResponse that says so; ``as_content`` as in ``tensors.encode``.

    Raises EncodeError for one that no message can hold.
    """
    parts: list[bytes | memoryview] = []
    for alias, array in made.outputs.items():
        if tensor_bytes.is_plain(array, as_content=as_content):
            parts.append(_beginning(alias, array.dtype, array.shape, as_content))
            parts.append(tensor_bytes.content(array))
        else:
            tensor = tensor_bytes.serialized(array, as_content=as_content)
            parts.append(field(_OUTPUTS, field(_KEY, alias.encode()) + field(_VALUE, tensor)))
    parts.append(_model_spec(made.name, made.version, made.signature_name))
    message = b"".join(parts)
    if len(message) > LARGEST:
        raise EncodeError(f"{len(message)} bytes in a message")
    return message


# Answers of a model have few different shapes, again and again.
@lru_cache(maxsize=4096)
def _beginning(alias: str, dtype: np.dtype[Any], shape: tuple[int, ...], as_content: bool) -> bytes:
    """All of an output but its values."""
    head = tensor_bytes.head(dtype, shape, as_content=as_content)
    size = len(head) + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    before = field(_KEY, alias.encode()) + _VALUE + varint(size)
    return b"".join((_OUTPUTS, varint(len(before) + size), before, head))


@lru_cache(maxsize=4096)
def _model_spec(name: str, version: int, signature_name: str) -> bytes:
    message = ModelSpecMessage()
    fill(message, name, version, signature_name)
    return field(_MODEL_SPEC, message.SerializeToString())
