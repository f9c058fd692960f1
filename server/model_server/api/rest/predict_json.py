"""The REST API's predict format: rows (``instances``) or columns (``inputs``) in, the same out."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from model_server.api.rest import json_reader, json_writer
from model_server.api.rest.json_tensor import first_wrong, is_base64, is_sound, shape_of, tensor
from model_server.core.errors import Code, ServingError
from model_server.servables.signature import Signature, Tensor, TensorSpec

_INSTANCES, _INPUTS = "instances", "inputs"
_BOTH = (
    f"Not formatted correctly expecting only one of '{_INPUTS}' or '{_INSTANCES}' keys to exist "
)


class Form(Enum):
    """How a request lists its values, and how its answer shall."""

    ROW = auto()
    COLUMNAR = auto()


@dataclass(frozen=True)
class PredictBody:
    """A parsed predict request, before the signature that gives its values types is known."""

    document: dict[str, Any]
    signature_name: str

    def tensors(self, signature: Signature) -> tuple[Form, dict[str, Tensor]]:
        """The inputs, by alias. Raises ServingError with TensorFlow Serving's message."""
        inputs = signature.inputs
        if not inputs:
            raise _invalid(
                f"Failed to get input map for signature: {self.signature_name or 'DEFAULT'}"
            )
        if _INSTANCES in self.document:
            return Form.ROW, _from_rows(_instances(self.document), inputs)
        if _INPUTS in self.document:
            return Form.COLUMNAR, _from_columns(self.document[_INPUTS], inputs)
        raise _invalid("Missing 'inputs' or 'instances' key")


def parse(body: bytes) -> PredictBody:
    """Reads a request body. Raises ServingError for what is no JSON object."""
    document = read_object(body)
    return PredictBody(document, signature_name(document))


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that is the body of every POST. Raises ServingError."""
    try:
        document = json_reader.read(body)
    except json_reader.JsonError as error:
        raise _invalid(f"JSON Parse error: {error}") from error
    if type(document) is not dict:
        raise malformed(document, "Is not object")
    return document


def signature_name(document: dict[str, Any]) -> str:
    """The signature a request names, or "" for the default one. Raises ServingError."""
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise malformed(
            document, "not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def malformed(value: Any, problem: str) -> ServingError:
    """The error for a document of the wrong form; it quotes the document."""
    return _invalid(f"JSON Value: {json_writer.pretty(value)} {problem}")


def _instances(document: dict[str, Any]) -> list[Any]:
    instances = document[_INSTANCES]
    if _INPUTS in document:
        raise malformed(document, _BOTH)
    if type(instances) is not list:
        raise malformed(document, f"Excepting '{_INSTANCES}' to be an list/array")
    if not instances:
        raise malformed(document, f"No values in '{_INSTANCES}' array")
    return instances


def _from_rows(instances: list[Any], inputs: Mapping[str, TensorSpec]) -> dict[str, Tensor]:
    first = instances[0]
    named = type(first) is dict and not is_base64(first)
    if not named and len(inputs) > 1:
        raise _invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    names = inputs.keys()
    try:
        if not named:
            (name,) = names
            return {name: tensor(instances, inputs[name].dtype)}
        if all(type(row) is dict and row.keys() == names for row in instances):
            return {
                name: tensor([row[name] for row in instances], spec.dtype)
                for name, spec in inputs.items()
            }
    except (ServingError, ValueError):
        # Wrong in some row: found below, and told as the rows are read.
        pass
    _explain_rows(instances, inputs, named)
    raise ServingError(Code.INTERNAL, "the instances are refused for no known reason")


def _explain_rows(instances: list[Any], inputs: Mapping[str, TensorSpec], named: bool) -> None:
    """Raises for the first thing that is wrong, in the order of the document."""
    shapes: dict[str, tuple[int, ...]] = {}
    # The first row promises the shapes.
    for index in (0, _first_wrong_row(instances, inputs, named)):
        row = instances[index]
        is_object = type(row) is dict and not is_base64(row)
        if named and not is_object:
            raise _invalid(f"Expecting object but got list at item {index} of input list")
        if is_object and not named:
            raise _invalid(f"Expecting value/list but got object at item {index} of input list")
        members = row if named else {next(iter(inputs)): row}
        for name, value in members.items():
            try:
                _explain_item(name, value, inputs, shapes)
            except ServingError as error:
                key = f" key: {name}" if named else ""
                raise _invalid(
                    f"Failed to process element: {index}{key} of '{_INSTANCES}' list."
                    f" Error: {error.code.name}: {error.message}"
                ) from error
        if members.keys() != inputs.keys():
            raise _invalid(
                f"Failed to process element: {index} of '{_INSTANCES}' list. JSON object:"
                f" {json_writer.pretty(row)} keys must be equal to: {','.join(sorted(inputs))}"
            )


def _first_wrong_row(instances: list[Any], inputs: Mapping[str, TensorSpec], named: bool) -> int:
    first = instances[0]
    if not named:
        (spec,) = inputs.values()
        return first_wrong(instances, lambda rows: is_sound(rows, shape_of(first), spec.dtype))

    def are_sound(rows: list[Any]) -> bool:
        return all(
            type(row) is dict and row.keys() == inputs.keys() and not is_base64(row) for row in rows
        ) and all(
            is_sound([row[name] for row in rows], shape_of(first.get(name)), spec.dtype)
            for name, spec in inputs.items()
        )

    return first_wrong(instances, are_sound)


def _explain_item(
    name: str,
    value: Any,
    inputs: Mapping[str, TensorSpec],
    shapes: dict[str, tuple[int, ...]],
) -> None:
    if name not in inputs:
        raise _invalid(f"JSON object: does not have named input: {name}")
    found = tensor(value, inputs[name].dtype)
    shape = shape_of(value)
    wanted = shapes.setdefault(name, shape)
    if _size(wanted) != found.size:
        raise _invalid(f"Expecting tensor size: {_size(wanted)} but got: {found.size}")
    if wanted != shape:
        raise _invalid(f"Expecting shape {_text(wanted)} but got: {_text(shape)}")


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def _text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _from_columns(value: Any, inputs: Mapping[str, TensorSpec]) -> dict[str, Tensor]:
    if type(value) is not dict or is_base64(value):
        if len(inputs) > 1:
            raise _invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        value = {next(iter(inputs)): value}
    for name in inputs:
        if name not in value:
            raise _invalid(f"Missing named input: {name} in 'inputs' object.")
    return {name: tensor(value[name], spec.dtype) for name, spec in inputs.items()}


def response(outputs: Mapping[str, Tensor], form: Form) -> str:
    """The answer's text, in the form of the request. Raises ServingError."""
    if not outputs:
        raise _invalid("Cannot convert empty tensor map to JSON")
    ordered = dict(sorted(outputs.items()))
    try:
        return _rows(ordered) if form is Form.ROW else _columns(ordered)
    except json_writer.NotWritable as error:
        raise _invalid(f"Failed to write JSON value for tensor type: {error}") from error


def _rows(outputs: dict[str, Tensor]) -> str:
    count = _batch_size(outputs)
    if count == 0:
        return '{\n    "predictions": []\n}'
    if len(outputs) == 1:
        ((alias, array),) = outputs.items()
        items = ", ".join(_row_items(alias, array, array.ndim + 2))
        return f'{{\n    "predictions": [{items}\n    ]\n}}'
    columns = [_row_items(alias, array, array.ndim + 3) for alias, array in outputs.items()]
    names = [f"            {json_writer.string(alias)}: " for alias in outputs]
    objects = []
    for row in zip(*columns, strict=True):
        members = ",\n".join([name + item for name, item in zip(names, row, strict=True)])
        objects.append(f"        {{\n{members}\n        }}")
    return '{\n    "predictions": [\n' + ",\n".join(objects) + "\n    ]\n}"


def _row_items(alias: str, array: Tensor, depth: int) -> list[str]:
    texts = json_writer.leaves(array, depth, as_bytes=alias.endswith("_bytes"))
    return json_writer.rows(texts, array.shape[0], array.shape[1:])


def _batch_size(outputs: dict[str, Tensor]) -> int:
    size = -1
    for alias, array in outputs.items():
        if array.ndim == 0:
            raise _invalid(f"Tensor name: {alias} has no shape information ")
        if size not in (-1, array.shape[0]):
            raise _invalid(
                f"Tensor name: {alias} has inconsistent batch size: {array.shape[0]}"
                f" expecting: {size}"
            )
        size = array.shape[0]
    return size


def _columns(outputs: dict[str, Tensor]) -> str:
    if len(outputs) == 1:
        ((alias, array),) = outputs.items()
        return f'{{\n    "outputs": {_column(alias, array, 1)}\n}}'
    members = [
        f"        {json_writer.string(alias)}: {_column(alias, array, 2)}"
        for alias, array in outputs.items()
    ]
    return '{\n    "outputs": {\n' + ",\n".join(members) + "\n    }\n}"


def _column(alias: str, array: Tensor, depth: int) -> str:
    is_bytes = alias.endswith("_bytes")
    texts = json_writer.leaves(array, depth + array.ndim + 1, as_bytes=is_bytes)
    return json_writer.expanded(texts, array.shape, depth)


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
