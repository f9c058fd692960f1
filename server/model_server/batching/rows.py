"""Tensors as rows of their first dimension: merged, padded, and parted again.

Source of the rules and of the messages: TensorFlow Serving ``batching/batching_session.cc`` and
``batching/batching_util.cc``.
"""

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model_server.core.errors import Code, ServingError

Tensor = NDArray[np.generic]
Tensors = Mapping[str, Tensor]

# Short rows beside long ones could take far more memory than what was sent.
_MOST_PADDED_BYTES = 256 * 2**20


def row_count(inputs: Tensors) -> int:
    """How many rows all inputs have. Raises ServingError, INVALID_ARGUMENT, if they differ."""
    if not inputs:
        raise _invalid("must have at least one input tensor")
    shapes = [tensor.shape for tensor in inputs.values()]
    if () in shapes:
        raise _invalid("input tensors must have at least one dimension")
    rows: int = shapes[0][0]
    for shape in shapes:
        if shape[0] != rows:
            raise _invalid("input tensors must have equal 0th-dimension size")
    return rows


def mergeable(inputs: Tensors, *, pad: bool) -> Hashable:
    """What is equal for inputs that can be of one batch; with ``pad`` only ranks must be equal."""
    return tuple(
        [
            # Without an element there is nothing to pad with.
            inputs[alias].ndim if pad and inputs[alias].size else inputs[alias].shape[1:]
            for alias in sorted(inputs)
        ]
    )


def size_to_run(rows: int, allowed: Sequence[int]) -> int:
    """The smallest allowed size, of ascending ones, that holds these rows; ``rows`` if none."""
    return next((size for size in allowed if size >= rows), rows)


def merged(parts: Sequence[Tensors], size: int) -> Tensors:
    """The rows of all parts in their order, then copies of the last part's first one up to a size.

    Where other dimensions differ, each tensor is filled up with its own first element. Raises
    ServingError, RESOURCE_EXHAUSTED, if that takes too much memory.
    """
    return {alias: _merged([part[alias] for part in parts], size) for alias in parts[0]}


def _merged(tensors: Sequence[Tensor], size: int) -> Tensor:
    if any(tensor.shape[1:] != tensors[0].shape[1:] for tensor in tensors):
        tensors = _of_one_shape(tensors)
    missing = size - sum(len(tensor) for tensor in tensors)
    if missing:
        tensors = [*tensors, np.repeat(tensors[-1][:1], missing, axis=0)]
    return tensors[0] if len(tensors) == 1 else np.concatenate(tensors)


def _of_one_shape(tensors: Sequence[Tensor]) -> list[Tensor]:
    shape = tuple(map(max, zip(*(tensor.shape[1:] for tensor in tensors), strict=True)))
    elements = sum(len(tensor) for tensor in tensors) * int(np.prod(shape, dtype=object))
    if elements * tensors[0].itemsize > _MOST_PADDED_BYTES:
        raise ServingError(
            Code.RESOURCE_EXHAUSTED,
            f"A batch padded to rows of shape {list(shape)} would take more than"
            f" {_MOST_PADDED_BYTES} bytes",
        )
    return [_filled_up(tensor, shape) for tensor in tensors]


def _filled_up(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    if tensor.shape[1:] == shape:
        return tensor
    filled = np.full((len(tensor), *shape), tensor.flat[0], tensor.dtype)
    filled[tuple(map(slice, tensor.shape))] = tensor
    return filled


def parted(outputs: Sequence[Tensor], counts: Sequence[int], size: int) -> list[list[Tensor]]:
    """For each count, so many rows of each output in turn; rows beyond are padding.

    Raises ServingError, FAILED_PRECONDITION, for an output that has not ``size`` rows.
    """
    for output in outputs:
        if output.ndim == 0:
            raise _not_of_rows("Batched output tensor has 0 dimensions")
        if len(output) != size:
            raise _not_of_rows(
                "Batched output tensor's 0th dimension does not equal the sum of the 0th"
                " dimension sizes of the input tensors"
            )
    found = []
    first = 0
    for count in counts:
        found.append([output[first : first + count] for output in outputs])
        first += count
    return found


def _invalid(what: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"Batching Run() {what}")


def _not_of_rows(message: str) -> ServingError:
    return ServingError(Code.FAILED_PRECONDITION, message)
