"""How a JSON value becomes one tensor: at C speed if it is sound, with the exact error if not."""

import base64
import binascii
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from model_server.api.rest import json_writer
from model_server.core.errors import Code, ServingError
from model_server.servables import dtypes
from model_server.servables.dtypes import DType
from model_server.servables.signature import Tensor

# numpy's limit. TensorFlow's is 254; no model has either.
_LARGEST_RANK = 64
# TensorFlow Serving checks all of these as int32, so values beyond a smaller type wrap around.
_INT32 = (dtypes.INT32, dtypes.INT16, dtypes.INT8, dtypes.UINT8)
_RANGES = {dtype: (-(2**31), 2**31 - 1) for dtype in _INT32} | {
    dtypes.INT64: (-(2**63), 2**63 - 1),
    dtypes.UINT32: (0, 2**32 - 1),
    dtypes.UINT64: (0, 2**64 - 1),
}
# What is below needs no care for what becomes infinite; care costs as much as converting a few.
_FLOAT32_MAX = 3.4028234e38
_FEW = 64
_FLOATS = (dtypes.FLOAT, dtypes.DOUBLE, dtypes.HALF, dtypes.BFLOAT16)
_TYPE_NAMES = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


class _Unsound(Exception):
    """The value is no tensor of the type; why is found out the slow way."""


def tensor(value: Any, dtype: DType) -> Tensor:
    """The tensor a parsed JSON value denotes: a scalar, or nested lists of equal sizes.

    int8, int16 and uint8 wrap around; floats beyond the type's range become infinite;
    strings are text or ``{"b64": ...}``. Raises ServingError with TensorFlow Serving's message.
    """
    try:
        flat, shape = _flatten(value)
        return _convert(flat, dtype).reshape(shape)
    except _Unsound:
        pass
    shape = shape_of(value)
    if len(shape) > _LARGEST_RANK:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"tensors have at most {_LARGEST_RANK} dimensions"
        )
    _explain(value, 0, shape, dtype)
    raise ServingError(Code.INTERNAL, "the JSON value is refused for no known reason")


def is_sound(values: list[Any], shape: tuple[int, ...], dtype: DType) -> bool:
    """Whether each of these values is a tensor of this shape and type."""
    try:
        flat, found = _flatten(values)
        _convert(flat, dtype)
    except (_Unsound, ServingError):
        return False
    return found[1:] == shape


def first_wrong(items: list[Any], are_sound: Callable[[list[Any]], bool]) -> int:
    """The index of the first item that is not sound; the last one if all are.

    Halves the list, so that a long one costs a few looks at C speed instead of one at each item.
    """
    low, high = 0, len(items)
    while high - low > 1:
        middle = (low + high) // 2
        if are_sound(items[low:middle]):
            low = middle
        else:
            high = middle
    return low


def is_base64(value: Any) -> bool:
    """Whether this is an object that stands for a string of bytes."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape that the first element of each list promises."""
    shape = []
    while type(value) is list:
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _flatten(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    shape: list[int] = []
    flat = [value]
    while flat and type(flat[0]) is list:
        # A scalar among lists has no length, and a string or an object has the wrong one.
        if set(map(type, flat)) != {list} or len(sizes := set(map(len, flat))) != 1:
            raise _Unsound
        shape.append(sizes.pop())
        flat = list(chain.from_iterable(flat))
    if len(shape) > _LARGEST_RANK:
        raise _Unsound
    return flat, tuple(shape)


def _convert(flat: list[Any], dtype: DType) -> Tensor:
    kinds = set(map(type, flat))
    if dtype in _FLOATS:
        return _floats(flat, kinds, dtype)
    if dtype in _RANGES:
        return _integers(flat, kinds, dtype)
    if dtype is dtypes.BOOL and kinds <= {bool}:
        return np.array(flat, dtype=np.bool_)
    if dtype is dtypes.STRING and kinds <= {str, dict}:
        array = np.empty(len(flat), dtype.numpy)
        array[:] = [_bytes(value) for value in flat]
        return array
    raise _Unsound


def _floats(flat: list[Any], kinds: set[type], dtype: DType) -> Tensor:
    if not kinds <= {int, float}:
        raise _Unsound
    if dtype is dtypes.FLOAT and 0 < len(flat) <= _FEW and _fit_in_float(flat):
        return np.array(flat, dtype.numpy)
    try:
        array = np.array(flat, dtype=np.float64)
    except OverflowError:
        raise _Unsound from None
    with np.errstate(over="ignore"):
        return array.astype(dtype.numpy)


def _fit_in_float(flat: list[Any]) -> bool:
    # Python passes over NaN, but for one in the first place, which fits nowhere.
    return bool(min(flat) >= -_FLOAT32_MAX and max(flat) <= _FLOAT32_MAX)


def _integers(flat: list[Any], kinds: set[type], dtype: DType) -> Tensor:
    if not kinds <= {int}:
        raise _Unsound
    low, high = _RANGES[dtype]
    if flat and not (low <= min(flat) and max(flat) <= high):
        raise _Unsound
    return np.array(flat, dtype=np.uint64 if low == 0 else np.int64).astype(dtype.numpy)


def _bytes(value: Any) -> bytes:
    if type(value) is str:
        return value.encode("utf-8", "surrogateescape")
    if not is_base64(value):
        raise _Unsound
    return base64_bytes(value)


def base64_bytes(value: dict[str, Any]) -> bytes:
    """What a ``{"b64": ...}`` object stands for; padding may be missing. Raises ServingError."""
    text = "".join(value["b64"].split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ServingError(Code.INVALID_ARGUMENT, "Unable to base64 decode") from error


def _explain(value: Any, level: int, shape: tuple[int, ...], dtype: DType) -> None:
    """Raises for the first thing that is wrong, in the order of the document."""
    if type(value) is not list:
        if level != len(shape):
            raise _invalid(
                f"JSON Value: {json_writer.pretty(value)} found at incorrect level: {level + 1}"
                f" in the JSON DOM. Expected at level: {len(shape)}"
            )
        _explain_leaf(value, dtype)
        return
    if level >= len(shape):
        raise _invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise _invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level}"
            f" expected size: {shape[level]}"
        )
    wrong = first_wrong(value, lambda part: is_sound(part, shape[level + 1 :], dtype))
    _explain(value[wrong], level + 1, shape, dtype)


def _explain_leaf(value: Any, dtype: DType) -> None:
    text = json_writer.pretty(value)
    if type(value) is dict and dtype is dtypes.STRING:
        if not is_base64(value):
            raise _invalid(f"JSON Value: {text} not formatted correctly for base64 data")
        base64_bytes(value)
        return
    if type(value) is not dict and dtype not in (*_FLOATS, *_RANGES, dtypes.BOOL, dtypes.STRING):
        raise ServingError(
            Code.UNIMPLEMENTED, f"Conversion of JSON Value: {text} to type: {dtype.name}"
        )
    try:
        _convert([value], dtype)
    except _Unsound:
        raise _invalid(
            f"JSON Value: {text} Type: {type_name(value)} is not of expected type: {dtype.name}"
        ) from None


def type_name(value: Any) -> str:
    """RapidJSON's word for the type of a value."""
    if value is None or type(value) is bool:
        return {None: "Null", True: "True", False: "False"}[value]
    return _TYPE_NAMES[type(value)]


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
