"""TensorProto to numpy and back, without TensorFlow's own slow converters on the hot types.

Source: ``tensorflow/core/framework/tensor.proto`` and ``Tensor::FromProto``/``AsProtoField``.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.message import EncodeError
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.tensor_shape_pb2 import TensorShapeProto

from model_server.servables import dtypes
from model_server.servables.dtypes import DType, dtype_of
from model_server.servables.signature import Tensor

# A TensorProto can announce a huge shape with a single value that fills it: the wire limit of a
# message does not bound what it unpacks to, so this does.
_LARGEST_FILLED = 2**28
# What protobuf can serialize, less what is around the values.
LARGEST_ENCODED = 2**31 - 2**10
# TensorFlow allows 254 dimensions, numpy 64.
_LARGEST_RANK = 64
# numpy counts bytes in an int64, even those of an array without elements.
_LARGEST_SIZE = 2**63 // 16
# From here on copying the raw bytes as one packed field beats a Python list of numbers.
_PACKED_FROM = 32

# The repeated field that holds the values of each type.
_FIELDS: dict[DType, str] = {
    dtypes.FLOAT: "float_val",
    dtypes.DOUBLE: "double_val",
    dtypes.INT32: "int_val",
    dtypes.UINT8: "int_val",
    dtypes.INT16: "int_val",
    dtypes.INT8: "int_val",
    dtypes.UINT16: "int_val",
    dtypes.STRING: "string_val",
    dtypes.COMPLEX64: "scomplex_val",
    dtypes.COMPLEX128: "dcomplex_val",
    dtypes.INT64: "int64_val",
    dtypes.BOOL: "bool_val",
    dtypes.HALF: "half_val",
    dtypes.BFLOAT16: "half_val",
    dtypes.UINT32: "uint32_val",
    dtypes.UINT64: "uint64_val",
    dtypes.FLOAT8_E5M2: "float8_val",
    dtypes.FLOAT8_E4M3FN: "float8_val",
}
# Bytes of a serialized shape that is remembered.
_KEPT = 64
# What one value of the field is in memory, where that is not the type itself.
_CELLS: dict[DType, np.dtype[Any]] = {
    dtypes.COMPLEX64: np.dtype(np.float32),
    dtypes.COMPLEX128: np.dtype(np.float64),
    dtypes.HALF: np.dtype(np.uint16),
    dtypes.BFLOAT16: np.dtype(np.uint16),
}
# Wire tags of float_val and double_val (packed fields 5 and 6): their payload is the array itself.
_PACKED_TAGS: dict[DType, bytes] = {dtypes.FLOAT: b"\x2a", dtypes.DOUBLE: b"\x32"}


class TensorError(ValueError):
    """A TensorProto that describes no tensor."""


def decode(proto: TensorProto) -> Tensor:
    """The array a TensorProto describes; strings become an object array of bytes.

    A field with fewer values than the shape has elements is filled with its last one, as TensorFlow
    does. Raises TensorError for a shape, type or content that does not fit.
    """
    dtype = dtype_of(proto.dtype)
    field = _FIELDS.get(dtype)
    if field is None:
        raise TensorError(f"tensors of type {dtype.name} cannot be sent")
    shape, count = _shape(proto)
    # Once, because each look at it is a copy.
    content = proto.tensor_content
    if content:
        return _from_content(content, dtype, shape, count)
    if dtype is dtypes.STRING:
        return _strings(list(proto.string_val), count).reshape(shape)
    values = _values(proto, field, dtype)
    if len(values) >= count:
        return values[:count].reshape(shape)
    if count * dtype.numpy.itemsize > _LARGEST_FILLED:
        raise TensorError(f"{len(values)} values for a shape of {count} elements")
    filled = np.empty(count, dtype.numpy)
    filled[: len(values)] = values
    filled[len(values) :] = values[-1] if len(values) else np.zeros((), dtype.numpy)
    return filled.reshape(shape)


def _shape(proto: TensorProto) -> tuple[tuple[int, ...], int]:
    """The shape, and how many elements it has."""
    serialized = proto.tensor_shape.SerializeToString()
    # Dimensions may have names, of any length.
    return (_known if len(serialized) <= _KEPT else _described)(serialized)


def _described(serialized: bytes) -> tuple[tuple[int, ...], int]:
    described = TensorShapeProto.FromString(serialized)
    if described.unknown_rank:
        raise TensorError("unknown rank")
    shape = _sound(tuple([dim.size for dim in described.dim]))
    return shape, math.prod(shape)


# Requests have few different shapes, again and again.
_known = lru_cache(maxsize=1024)(_described)


def _sound(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) > _LARGEST_RANK or (shape and min(shape) < 0):
        raise TensorError(f"not the shape of a tensor: {list(shape)[:8]}")
    if math.prod([size for size in shape if size]) > _LARGEST_SIZE:
        raise TensorError("too many elements")
    return shape


def _from_content(content: bytes, dtype: DType, shape: tuple[int, ...], count: int) -> Tensor:
    if dtype is dtypes.STRING:
        return _strings(_split(content, count), count).reshape(shape)
    if len(content) != count * dtype.numpy.itemsize:
        raise TensorError(f"{len(content)} bytes of content for {count} elements")
    return np.frombuffer(content, dtype.numpy).reshape(shape)


def _split(content: bytes, count: int) -> list[bytes]:
    """Strings in tensor_content: all lengths as varints, then all bytes."""
    lengths: list[int] = []
    position = 0
    while len(lengths) < count:
        value = shift = 0
        while True:
            if position >= len(content) or shift > 63:
                raise TensorError("cut short")
            byte = content[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        lengths.append(value)
    if position + sum(lengths) != len(content):
        raise TensorError(f"{len(content)} bytes of content for {count} strings")
    strings = []
    for length in lengths:
        strings.append(content[position : position + length])
        position += length
    return strings


def _strings(values: list[bytes], count: int) -> Tensor:
    if count > _LARGEST_FILLED // 8 and len(values) < count:
        raise TensorError(f"{len(values)} values for a shape of {count} elements")
    array = np.empty(count, dtypes.STRING.numpy)
    if len(values) < count:
        values = values + [values[-1] if values else b""] * (count - len(values))
    array[:] = values[:count]
    return array


def _values(proto: TensorProto, field: str, dtype: DType) -> Tensor:
    values = getattr(proto, field)
    if dtype in _PACKED_TAGS and len(values) >= _PACKED_FROM:
        return _unpacked(values, field, dtype)
    if field == "float8_val":
        return np.frombuffer(values, dtype.numpy)
    if field == "half_val":
        # Half types travel as their bits.
        return np.array(values, dtype=np.int64).astype(np.uint16).view(dtype.numpy)
    if dtype in _CELLS:
        # Complex numbers travel as pairs; a lone half is dropped.
        return np.array(values[: len(values) // 2 * 2], dtype=_CELLS[dtype]).view(dtype.numpy)
    if field == "int_val":
        # TensorFlow casts, so a value beyond int8 or uint16 wraps around.
        return np.array(values, dtype=np.int32).astype(dtype.numpy)
    return np.array(values, dtype=dtype.numpy)


def _unpacked(values: Any, field: str, dtype: DType) -> Tensor:
    """Floats copied as a whole, because a list of them costs 50 nanoseconds for each."""
    proto = TensorProto()
    getattr(proto, field).MergeFrom(values)
    packed = proto.SerializeToString()
    begin = len(packed) - len(values) * dtype.numpy.itemsize
    # Once more, because numbers that begin anywhere in memory are not for everybody.
    return np.frombuffer(packed, dtype.numpy, offset=begin).copy()


def encode(array: Tensor, proto: TensorProto, *, as_content: bool = False) -> None:
    """Writes an array into an empty TensorProto, by default one value for each element.

    ``as_content`` packs the values into ``tensor_content`` instead, as
    --enable_serialization_as_tensor_content asks; strings have no such form.
    Raises TensorError for an array of a type TensorFlow does not know, EncodeError for one that no
    message can hold.
    """
    if array.nbytes > LARGEST_ENCODED:
        raise EncodeError(f"{array.nbytes} bytes in a tensor")
    dtype = dtypes.BY_NUMPY.get(array.dtype)
    if dtype is None:
        raise TensorError(f"arrays of type {array.dtype} cannot be sent")
    proto.dtype = dtype.number
    shape = proto.tensor_shape
    shape.SetInParent()
    for size in array.shape:
        shape.dim.add().size = size
    if dtype is dtypes.STRING:
        proto.string_val.extend(array.ravel().tolist())
    elif as_content:
        proto.tensor_content = array.tobytes()
    elif dtype in _PACKED_TAGS and array.size >= _PACKED_FROM:
        values = np.ascontiguousarray(array).data
        proto.MergeFromString(b"".join((_PACKED_TAGS[dtype], _varint(array.nbytes), values)))
    elif dtype.name.startswith("float8"):
        proto.float8_val = array.tobytes()
    else:
        getattr(proto, _FIELDS[dtype]).extend(_cells(array, dtype))


def _cells(array: Tensor, dtype: DType) -> list[Any]:
    flat = np.ascontiguousarray(array).ravel()
    cell = _CELLS.get(dtype)
    return (flat if cell is None else flat.view(cell)).tolist()


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
