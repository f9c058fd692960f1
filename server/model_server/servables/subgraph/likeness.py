"""When arrays are equal, but for how floats are rounded."""

import numpy as np

from model_server.servables.signature import Tensor

_OF_HALVES = 2e-2
_OF_FLOATS = 1e-4


def alike(one: Tensor, other: Tensor) -> bool:
    """Whether two arrays have the same shape and values; floats may be rounded differently."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind in "OSUb?iu" or one.size == 0:
        return bool(np.array_equal(one, other))
    wide = np.complex128 if one.dtype.kind == "c" else np.float64
    first, second = one.astype(wide), other.astype(wide)
    tolerance = _OF_HALVES if one.dtype.itemsize == 2 else _OF_FLOATS
    finite = np.abs(first[np.isfinite(first)])
    largest = float(finite.max()) if finite.size else 0.0
    return bool(
        np.allclose(first, second, rtol=tolerance, atol=tolerance * largest / 10, equal_nan=True)
    )


def of_rows(together: Tensor, first: Tensor, second: Tensor) -> bool:
    """Whether one array is the rows of two others, one after the other."""
    if first.ndim == 0 or second.ndim == 0 or first.shape[1:] != second.shape[1:]:
        return False
    return alike(together, np.concatenate([first, second]))
