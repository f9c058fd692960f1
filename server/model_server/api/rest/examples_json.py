"""The REST API's classify and regress formats: Examples in, classes or numbers out."""

from typing import Any

import numpy as np
from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature

from model_server.api.rest import json_writer
from model_server.api.rest.json_tensor import base64_bytes, is_base64, type_name
from model_server.api.rest.predict_json import malformed
from model_server.core.errors import Code, ServingError
from model_server.servables.signature import Tensor
from model_server.service.classify import Classes
from model_server.service.examples import Examples

_EXAMPLES, _CONTEXT = "examples", "context"
_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}
_INT64_MIN, _INT64_MAX, _UINT64_MAX = -(2**63), 2**63 - 1, 2**64 - 1


def examples_of(document: dict[str, Any]) -> Examples:
    """The Examples of a parsed request. Raises ServingError with TensorFlow Serving's message."""
    context = b""
    if _CONTEXT in document:
        context = _example(document[_CONTEXT]).SerializeToString()
    if _EXAMPLES not in document:
        raise malformed(
            document,
            f"When method is classify, key '{_EXAMPLES}' is expected and was not found",
        )
    listed = document[_EXAMPLES]
    if type(listed) is not list:
        raise malformed(document, f"Expecting '{_EXAMPLES}' value to be an list/array")
    if not listed:
        raise malformed(document, f"'{_EXAMPLES}' value is an empty array")
    return Examples([_example(value).SerializeToString() for value in listed], context)


def _example(value: Any) -> Example:
    if type(value) is not dict:
        raise _invalid(f"Example must be JSON object but got JSON {type_name(value)}")
    example = Example()
    for name, content in value.items():
        feature = example.features.feature[name]
        for element in content if type(content) is list else [content]:
            _add(element, name, feature)
    return example


def _add(value: Any, name: str, feature: Feature) -> None:
    """The first element decides what kind of feature it is; all must be of that kind."""
    if type(value) is str:
        _values(feature, name, "bytes_list").append(value.encode("utf-8", "surrogateescape"))
    elif is_base64(value):
        _values(feature, name, "bytes_list").append(base64_bytes(value))
    elif type(value) is float or (type(value) is int and not _INT64_MIN <= value <= _UINT64_MAX):
        with np.errstate(over="ignore"):
            number = float(np.float32(value))
        _values(feature, name, "float_list").append(number)
    elif type(value) in (bool, int):
        values = _values(feature, name, "int64_list")
        if value > _INT64_MAX:
            raise _invalid(f"Feature: {name} has uint64 element. Only int64 is supported.")
        values.append(int(value))
    else:
        raise _invalid(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")


def _values(feature: Feature, name: str, kind: str) -> Any:
    known = feature.WhichOneof("kind")
    if known not in (None, kind):
        raise _invalid(
            f"Unexpected element type in feature: {name} expecting type: {_KINDS[known]}"
        )
    return getattr(feature, kind).value


def classifications(classes: Classes) -> str:
    """The answer to classify: a line of [label, score] pairs for each example."""
    lines = []
    for row in classes.rows():
        scores = json_writer.decimals(np.array([score for _, score in row], np.float32))
        pairs = [
            f"[{json_writer.string(label)}, {score}]"
            for (label, _), score in zip(row, scores, strict=True)
        ]
        lines.append(f"[{', '.join(pairs)}]")
    # What is inside an example's list stands in one line; their own list is closed on a new one.
    return '{\n    "results": [' + ", ".join(lines) + "\n    ]\n}"


def regressions(values: Tensor) -> str:
    """The answer to regress: a number for each example."""
    return '{\n    "results": [' + ", ".join(json_writer.decimals(values)) + "]\n}"


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
