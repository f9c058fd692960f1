"""How values become JSON text, with TensorFlow Serving's numbers, strings and whitespace.

That is RapidJSON v1.1.0's PrettyWriter with an indent of four spaces, whose lists are written in
one line inside a row of predictions, and TensorFlow Serving's own spelling of decimals.
"""

import base64
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from model_server.servables import dtypes
from model_server.servables.dtypes import DType
from model_server.servables.signature import Tensor

_INDENT = "    "
_SHORT_ESCAPES = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_ESCAPES = {code: f"\\u{code:04X}" for code in range(32)} | _SHORT_ESCAPES
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
# Messages quote the request: deeper lists than this are cut, they are no tensors anyway.
_DEEPEST = 64
# An element costs about a microsecond, in which no other request runs.
_MOST_QUOTED = 20_000
_LONGEST_QUOTED = 20_000
_CUT = "..."
_FLOAT32_MAX = 3.4028234e38


class NotWritable(ValueError):
    """A tensor of a type that has no JSON form."""


def string(text: str) -> str:
    """A JSON string; everything but quotes, backslashes and control characters stands as it is."""
    return f'"{text.translate(_ESCAPES)}"'


def error_body(message: str) -> str:
    """What every failed request is answered with."""
    return f'{{\n{_INDENT}"error": {string(message)}\n}}'


def decimals(values: Tensor) -> list[str]:
    """Floating-point numbers with six digits where they suffice to read them back, else with all.

    float64 arrays are read back as doubles, all others as floats.
    """
    if values.dtype != np.float64:
        values = values.astype(np.float32)
    numbers = values.tolist()
    texts = [f"{number:g}" for number in numbers]
    read = list(map(float, texts))
    # Few short numbers are read back as they are, which need not be found out by arrays.
    if read != numbers:
        back = np.array(read, dtype=np.float64).astype(values.dtype)
        digits = 17 if values.dtype == np.float64 else 9
        for index in np.flatnonzero(back != values).tolist():
            texts[index] = f"{numbers[index]:.{digits}g}"
    return [text if "." in text or "e" in text else _pointed(text) for text in texts]


def _pointed(text: str) -> str:
    return _NOT_FINITE.get(text, text + ".0")


def leaves(array: Tensor, depth: int, *, as_bytes: bool) -> list[str]:
    """The elements of a tensor, each as JSON, in C order.

    ``as_bytes`` writes strings as ``{"b64": ...}`` objects with their member at ``depth`` indents.
    Raises NotWritable for a type without a JSON form.
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    kind = flat.dtype.kind
    if kind in "iu" and flat.dtype != np.uint16:
        return list(map(str, flat.tolist()))
    if kind == "b":
        return ["true" if value else "false" for value in flat.tolist()]
    if kind == "O":
        if as_bytes:
            return [_base64(value, depth) for value in flat.tolist()]
        return [string(value.decode("utf-8", "surrogateescape")) for value in flat.tolist()]
    if kind == "f" or flat.dtype == dtypes.BFLOAT16.numpy:
        return decimals(flat)
    known: DType | None = dtypes.BY_NUMPY.get(flat.dtype)
    raise NotWritable(known.name if known else str(flat.dtype))


def _base64(value: bytes, depth: int) -> str:
    encoded = base64.b64encode(value).decode("ascii")
    return f'{{\n{_INDENT * depth}"b64": "{encoded}"\n{_INDENT * (depth - 1)}}}'


def rows(texts: list[str], count: int, shape: Sequence[int]) -> list[str]:
    """Elements grouped into ``count`` nested one-line lists of this shape."""
    if math.prod(shape) == 0:
        return [_hollow_line(shape)] * count
    for size in reversed(shape):
        texts = [f"[{', '.join(group)}]" for group in _groups(texts, size)]
    return texts


def expanded(texts: list[str], shape: Sequence[int], depth: int) -> str:
    """Elements as nested lists with a line for each element; the outermost stands at ``depth``."""
    if shape and math.prod(shape) == 0:
        return _hollow(shape, depth)
    for level in range(len(shape) - 1, -1, -1):
        inner = "\n" + _INDENT * (depth + level + 1)
        outer = "\n" + _INDENT * (depth + level)
        groups = _groups(texts, shape[level])
        texts = [f"[{inner}{(',' + inner).join(group)}{outer}]" for group in groups]
    return texts[0]


def _groups(texts: list[str], size: int) -> list[list[str]]:
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def _hollow_line(shape: Sequence[int]) -> str:
    """Lists that hold no element: they end at the first dimension of size 0."""
    if shape[0] == 0:
        return "[]"
    return f"[{', '.join([_hollow_line(shape[1:])] * shape[0])}]"


def _hollow(shape: Sequence[int], depth: int) -> str:
    if shape[0] == 0:
        return "[]"
    inner = "\n" + _INDENT * (depth + 1)
    items = [_hollow(shape[1:], depth + 1)] * shape[0]
    return f"[{inner}{(',' + inner).join(items)}\n{_INDENT * depth}]"


def pretty(value: Any) -> str:
    """A parsed JSON value as text, for messages; one of many elements is cut.

    A number is spelt like a tensor's element if it is the whole value, as RapidJSON does otherwise.
    """
    if isinstance(value, float):
        small = -_FLOAT32_MAX <= value <= _FLOAT32_MAX
        return decimals(np.array([value], np.float32 if small else np.float64))[0]
    return _pretty(value, 0, iter(range(_MOST_QUOTED)))


def _pretty(value: Any, depth: int, left: Iterator[int]) -> str:
    inner = "\n" + _INDENT * (depth + 1)
    outer = "\n" + _INDENT * depth
    match value:
        case dict() | list() if value and depth > _DEEPEST:
            return _CUT
        case dict() if value:
            members = [
                f"{string(key)}: {_pretty(value[key], depth + 1, left)}"
                for key, _ in zip(value, left, strict=False)
            ]
            cut = [_CUT] if len(members) < len(value) else []
            return f"{{{inner}{(',' + inner).join(members + cut)}{outer}}}"
        case list() if value:
            items = [_pretty(item, depth + 1, left) for item, _ in zip(value, left, strict=False)]
            cut = [_CUT] if len(items) < len(value) else []
            return f"[{inner}{(',' + inner).join(items + cut)}{outer}]"
        case dict():
            return "{}"
        case list():
            return "[]"
        case _:
            return _scalar(value)


def _scalar(value: Any) -> str:
    match value:
        case str():
            return string(
                value if len(value) <= _LONGEST_QUOTED else value[:_LONGEST_QUOTED] + _CUT
            )
        case float():
            return _shortest(value)
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)


def _shortest(value: float) -> str:
    text = repr(value)
    if math.isfinite(value) and 1e16 <= abs(value) < 1e21:
        return f"{int(value)}.0"
    return _NOT_FINITE.get(text, text.replace("e-0", "e-").replace("e+", "e"))
