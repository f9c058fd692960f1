"""Whether arrays are what a signature says, for platforms whose models do not see to it."""

from typing import Any

import numpy as np

from model_server.core.errors import Code, ServingError
from model_server.servables.dtypes import BY_NUMPY, STRING
from model_server.servables.signature import Signature, Tensor, Tensors, TensorSpec


class Unfit(ValueError):
    """A value that no tensor of the wanted type and shape can stand for."""


def check_shapes(signature: Signature, inputs: Tensors) -> None:
    """Raises ServingError, INVALID_ARGUMENT, for an input of another shape than the signature's."""
    for alias, spec in signature.inputs.items():
        if not fits(spec.shape, inputs[alias].shape):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"input {alias} must have shape {_text(spec.shape)},"
                f" but has {_text(inputs[alias].shape)}",
            )


def fits(wanted: tuple[int, ...] | None, shape: tuple[int, ...]) -> bool:
    """Whether a shape is one of those wanted; -1 stands for any size, None for any shape."""
    if wanted is None:
        return True
    return len(wanted) == len(shape) and all(
        size in (-1, found) for size, found in zip(wanted, shape, strict=True)
    )


def conforming(value: Any, spec: TensorSpec) -> Tensor:
    """What somebody's code returned as an array of the spec's type and shape.

    Numbers are converted where nothing but precision is lost, text becomes UTF-8. Raises Unfit.
    """
    try:
        array = np.asarray(value, STRING.numpy if spec.dtype is STRING else None)
    except ValueError as error:
        raise Unfit(str(error)) from error
    array = _strings(array) if spec.dtype is STRING else _numbers(array, spec)
    if not fits(spec.shape, array.shape):
        raise Unfit(f"its shape is {_text(array.shape)} instead of {_text(spec.shape)}")
    return array


def _numbers(array: Tensor, spec: TensorSpec) -> Tensor:
    wanted = spec.dtype.numpy
    if array.dtype == wanted:
        return array
    if array.size and not np.can_cast(array.dtype, wanted, "same_kind"):
        known = BY_NUMPY.get(array.dtype)
        found = known.name if known else array.dtype
        raise Unfit(f"its type is {found} instead of {spec.dtype.name}")
    with np.errstate(over="ignore"):
        converted = array.astype(wanted)
    if wanted.kind in "iu" and not np.array_equal(converted, array):
        raise Unfit(f"it has numbers beyond {spec.dtype.name}")
    return converted


def _strings(array: Tensor) -> Tensor:
    strings = np.empty(array.shape, STRING.numpy)
    item: Any
    for index, item in np.ndenumerate(array):
        if isinstance(item, str):
            strings[index] = item.encode("utf-8", "surrogateescape")
        elif isinstance(item, bytes):
            strings[index] = bytes(item)
        else:
            raise Unfit(f"it has a {type(item).__name__} where strings are due")
    return strings


def _text(shape: tuple[int, ...] | None) -> str:
    return "?" if shape is None else f"[{','.join('?' if n < 0 else str(n) for n in shape)}]"
