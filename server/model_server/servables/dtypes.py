"""TensorFlow's data types: their numbers on the wire, their names, and numpy's for them.

Source: ``tensorflow/core/framework/types.proto`` and ``DataTypeString``. Kept as a table of our own
so that nothing here waits for the import of TensorFlow.
"""

from dataclasses import dataclass

import ml_dtypes
import numpy as np


@dataclass(frozen=True, eq=False)
class DType:
    """A data type: ``number`` in a TensorProto, ``name`` in messages, ``numpy`` in memory.

    Strings are ``object`` arrays of ``bytes``. There is one object for each type, so that types are
    compared and looked up by identity, which is quick.
    """

    number: int
    name: str
    numpy: np.dtype

    def __repr__(self) -> str:
        return self.name


FLOAT = DType(1, "float", np.dtype(np.float32))
DOUBLE = DType(2, "double", np.dtype(np.float64))
INT32 = DType(3, "int32", np.dtype(np.int32))
UINT8 = DType(4, "uint8", np.dtype(np.uint8))
INT16 = DType(5, "int16", np.dtype(np.int16))
INT8 = DType(6, "int8", np.dtype(np.int8))
STRING = DType(7, "string", np.dtype(object))
COMPLEX64 = DType(8, "complex64", np.dtype(np.complex64))
INT64 = DType(9, "int64", np.dtype(np.int64))
BOOL = DType(10, "bool", np.dtype(np.bool_))
BFLOAT16 = DType(14, "bfloat16", np.dtype(ml_dtypes.bfloat16))
UINT16 = DType(17, "uint16", np.dtype(np.uint16))
COMPLEX128 = DType(18, "complex128", np.dtype(np.complex128))
HALF = DType(19, "half", np.dtype(np.float16))
UINT32 = DType(22, "uint32", np.dtype(np.uint32))
UINT64 = DType(23, "uint64", np.dtype(np.uint64))
FLOAT8_E5M2 = DType(24, "float8_e5m2", np.dtype(ml_dtypes.float8_e5m2))
FLOAT8_E4M3FN = DType(25, "float8_e4m3fn", np.dtype(ml_dtypes.float8_e4m3fn))

DTYPES = (
    FLOAT,
    DOUBLE,
    INT32,
    UINT8,
    INT16,
    INT8,
    STRING,
    COMPLEX64,
    INT64,
    BOOL,
    BFLOAT16,
    UINT16,
    COMPLEX128,
    HALF,
    UINT32,
    UINT64,
    FLOAT8_E5M2,
    FLOAT8_E4M3FN,
)
BY_NUMBER = {dtype.number: dtype for dtype in DTYPES}
BY_NUMPY = {dtype.numpy: dtype for dtype in DTYPES}
# Types that never cross the wire, but stand in signatures (quantised, resource, variant).
_OTHER_NAMES = {11: "qint8", 12: "quint8", 13: "qint32", 15: "qint16", 16: "quint16"}
_OTHER_NAMES |= {20: "resource", 21: "variant", 29: "int4", 30: "uint4"}


def dtype_of(number: int) -> DType:
    """The type with this number; one that cannot be sent keeps its name and has numpy ``void``."""
    known = BY_NUMBER.get(number)
    if known is not None:
        return known
    name = _OTHER_NAMES.get(number, f"unknown dtype enum ({number})")
    return DType(number, name, np.dtype("V"))
