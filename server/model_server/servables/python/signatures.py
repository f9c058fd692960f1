"""How the author of a ``model.py`` writes signatures, and what they mean.

::

    signatures = {
        "serving_default": {
            "inputs": {"x": ("float32", [None, 2]), "word": "string"},
            "outputs": {"y": ("float32", [None])},
            "method": "predict",  # or "classify", "regress"; may be left out
        }
    }

A type is a name that numpy knows, or ``string``; None is a dimension of any size; without a shape,
any shape will do.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from model_server.servables.dtypes import BY_NUMPY, STRING, DType
from model_server.servables.signature import CLASSIFY, PREDICT, REGRESS, Signature, TensorSpec

_METHODS = {"predict": PREDICT, "classify": CLASSIFY, "regress": REGRESS}
_PARTS = {"inputs", "outputs", "method"}
_STRINGS = ("string", str, bytes)


class InvalidSignatures(ValueError):
    """``signatures`` is not written as it should be; says where."""


def signatures_of(written: Any) -> dict[str, Signature]:
    """The signatures that were written down. Raises InvalidSignatures."""
    if not isinstance(written, Mapping) or not written:
        raise InvalidSignatures("signatures must be a dict with an item for each signature")
    return {
        name: _signature(name, value, f"signatures[{name!r}]") for name, value in written.items()
    }


def _signature(name: Any, written: Any, where: str) -> Signature:
    if not isinstance(name, str):
        raise InvalidSignatures(f"{where}: the name must be a string")
    if not isinstance(written, Mapping) or not {"inputs", "outputs"} <= written.keys() <= _PARTS:
        raise InvalidSignatures(f"{where} must be a dict with inputs, outputs, maybe method")
    method = written.get("method", "predict")
    if method not in _METHODS:
        raise InvalidSignatures(f"{where}['method'] must be one of {', '.join(_METHODS)}")
    return Signature(
        name=name,
        inputs=_specs(written["inputs"], f"{where}['inputs']"),
        outputs=_specs(written["outputs"], f"{where}['outputs']"),
        method_name=_METHODS[method],
    )


def _specs(written: Any, where: str) -> dict[str, TensorSpec]:
    if not isinstance(written, Mapping) or not all(isinstance(alias, str) for alias in written):
        raise InvalidSignatures(f"{where} must be a dict of names to types")
    return {alias: _spec(alias, value, f"{where}[{alias!r}]") for alias, value in written.items()}


def _spec(alias: str, written: Any, where: str) -> TensorSpec:
    if not isinstance(written, tuple):
        return TensorSpec(alias, _dtype(written, where))
    if len(written) != 2:
        raise InvalidSignatures(f"{where} must be a type, or (type, shape)")
    return TensorSpec(alias, _dtype(written[0], where), _shape(written[1], where))


def _dtype(written: Any, where: str) -> DType:
    if written in _STRINGS:
        return STRING
    try:
        dtype = BY_NUMPY.get(np.dtype(written))
    except TypeError:
        dtype = None
    if dtype is None or dtype is STRING:
        raise InvalidSignatures(f"{where}: there is no type {written!r}; try float32 or string")
    return dtype


def _shape(written: Any, where: str) -> tuple[int, ...]:
    sound = isinstance(written, list | tuple) and all(
        size is None or (type(size) is int and size >= -1) for size in written
    )
    if not sound:
        raise InvalidSignatures(f"{where}: a shape is a list of sizes, None for any size")
    return tuple(-1 if size is None else size for size in written)
