"""Arrays as serialized TensorProtos, without a message in between where it can be done without.

A message costs an answer with one small tensor 5 microseconds, and one with a large tensor several
copies. Source: protobuf's wire format, and the field numbers of ``tensor.proto``.
"""

import math
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


def is_plain(array: Tensor, *, as_content: bool) -> bool:
    """Whether the tensor of this array is its ``head`` and a copy of its values."""
    size = array.nbytes
    if not 0 < size <= tensors.LARGEST_ENCODED:
        return False
    dtype = array.dtype
    return dtype in _PACKED_TAGS or (
        as_content and dtype in dtypes.BY_NUMPY and dtype != dtypes.STRING.numpy
    )


def head(dtype: np.dtype[Any], shape: tuple[int, ...], *, as_content: bool) -> bytes:
    """What stands before the values of plain arrays of this type and shape."""
    message = TensorProto(dtype=dtypes.BY_NUMPY[dtype].number, tensor_shape=TensorShapeProto())
    for size in shape:
        message.tensor_shape.dim.add().size = size
    tag = _CONTENT_TAG if as_content else _PACKED_TAGS[dtype]
    serialized: bytes = message.SerializeToString()
    return serialized + tag + varint(math.prod(shape) * dtype.itemsize)


def content(array: Tensor) -> bytes | memoryview:
    """The values of a plain array."""
    return array.tobytes() if array.nbytes < _VIEWED_FROM else np.ascontiguousarray(array).data


def serialized(array: Tensor, *, as_content: bool) -> bytes:
    """The tensor of an array that is not plain. Raises what ``tensors.encode`` raises."""
    proto = TensorProto()
    tensors.encode(array, proto, as_content=as_content)
    written: bytes = proto.SerializeToString()
    return written


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
