"""Arrays as serialized TensorProtos, without a message in between where it can be done without.

A message costs an answer with one small tensor 5 microseconds, and one with a large tensor several
copies. Source: protobuf's wire format, and the field numbers of ``tensor.proto``.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.message import EncodeError
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto

from model_server.servables import dtypes, tensors
from model_server.servables.signature import Tensor

# What protobuf can serialize.
LARGEST = 2**31 - 1
# The tags of float_val and double_val, which are packed: their payload is the array itself.
_PACKED_TAGS = {dtypes.FLOAT.numpy: b"\x2a", dtypes.DOUBLE.numpy: b"\x32"}
_CONTENT_TAG = b"\x22"
# From here on one copy less is worth the microsecond that a view costs.
_VIEWED_FROM = 2**14


def encoded(array: Tensor, *, as_content: bool = False) -> bytes:
    """What ``tensors.encode`` writes, serialized. Raises what it raises."""
    dtype = array.dtype
    tag = _PACKED_TAGS.get(dtype)
    if as_content and dtype in dtypes.BY_NUMPY and dtype != dtypes.STRING.numpy:
        tag = _CONTENT_TAG
    size = array.nbytes
    if tag is None or not size or size > tensors.LARGEST_ENCODED:
        proto = TensorProto()
        tensors.encode(array, proto, as_content=as_content)
        serialized: bytes = proto.SerializeToString()
        return serialized
    head = _head(dtype, array.shape) + tag + varint(size)
    if size < _VIEWED_FROM:
        return head + array.tobytes()
    return b"".join((head, np.ascontiguousarray(array).data))


@lru_cache(maxsize=1024)
def _head(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    message = TensorProto(dtype=dtypes.BY_NUMPY[dtype].number, tensor_shape=TensorShapeProto())
    for size in shape:
        message.tensor_shape.dim.add().size = size
    head: bytes = message.SerializeToString()
    return head


def field(tag: bytes, content: bytes) -> bytes:
    """A field with this tag whose content has a length. Raises EncodeError beyond 2 GiB."""
    size = len(content)
    if size < 0x80:
        return tag + _ONE_BYTE[size] + content
    if size > LARGEST:
        raise EncodeError(f"{size} bytes in a field")
    return b"".join((tag, varint(size), content))


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    if value < 0x80:
        return _ONE_BYTE[value]
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_ONE_BYTE = [bytes([value]) for value in range(0x80)]
