"""The platform ``onnx``: a graph in the version folder's ``model.onnx``, run by onnxruntime.

Its one signature, ``serving_default``, has the graph's inputs and outputs. onnxruntime is an
optional dependency: ``pip install 'modelfleet[onnx]'``.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_server.core.errors import Code, ServingError
from model_server.options.cpus import CPUS
from model_server.servables import dtypes
from model_server.servables.conformity import check_shapes
from model_server.servables.dtypes import STRING, DType
from model_server.servables.platform import Runtime
from model_server.servables.signature import (
    DEFAULT_SIGNATURE,
    Signature,
    Tensor,
    Tensors,
    TensorSpec,
)

try:
    import onnxruntime
except ImportError as error:
    raise ImportError(f"{error}; it comes with: pip install 'modelfleet[onnx]'") from error

_FILE = "model.onnx"

# Source: onnxruntime's names of types; those it has no numpy form of are missing.
_TYPES: dict[str, DType] = {
    "tensor(float)": dtypes.FLOAT,
    "tensor(double)": dtypes.DOUBLE,
    "tensor(float16)": dtypes.HALF,
    "tensor(int8)": dtypes.INT8,
    "tensor(int16)": dtypes.INT16,
    "tensor(int32)": dtypes.INT32,
    "tensor(int64)": dtypes.INT64,
    "tensor(uint8)": dtypes.UINT8,
    "tensor(uint16)": dtypes.UINT16,
    "tensor(uint32)": dtypes.UINT32,
    "tensor(uint64)": dtypes.UINT64,
    "tensor(bool)": dtypes.BOOL,
    "tensor(string)": dtypes.STRING,
}
# It sends what it is given to a service elsewhere, which nobody asked for.
_REMOTE = "AzureExecutionProvider"
_ERRORS_ONLY = 3
# How onnxruntime begins its messages: "[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : ".
_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")

# What onnxruntime says of a file that is short, or of one of weights that is not there yet.
_UNFINISHED = re.compile(
    r"Protobuf parsing failed|No graph was found|External data path does not exist|file_length"
)


class OnnxModel:
    """One loaded graph; onnxruntime lets many threads run it at once."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.signatures = {
            DEFAULT_SIGNATURE: Signature(
                name=DEFAULT_SIGNATURE,
                inputs=_specs(session.get_inputs(), "input"),
                outputs=_specs(session.get_outputs(), "output"),
            )
        }

    def run(self, signature: Signature, inputs: Tensors, outputs: Sequence[str]) -> list[Tensor]:
        """See Servable.run.

        Raises ServingError: INVALID_ARGUMENT for inputs that the graph refuses and for strings that
        are not UTF-8, INTERNAL for what fails inside it.
        """
        check_shapes(signature, inputs)
        fed = {alias: _fed(alias, inputs[alias]) for alias in signature.inputs}
        try:
            values = self.session.run(list(outputs), fed)
        except Exception as error:
            # onnxruntime's errors have no base class of their own.
            refused = type(error).__name__ == "InvalidArgument"
            code = Code.INVALID_ARGUMENT if refused else Code.INTERNAL
            raise ServingError(code, _text(error)) from error
        return [_strings(value) if value.dtype == object else value for value in values]


class Onnx:
    """Loads ONNX graphs, each into a session of its own, on the accelerator if there is one.

    Weights may lie in other files of the version folder; onnxruntime reads none outside it.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._options = onnxruntime.SessionOptions()
        # Left to itself onnxruntime pins its threads to cores, which a container may not do; and
        # threads that spin for work take the cores from the other models.
        self._options.intra_op_num_threads = runtime.intra_op_threads or CPUS
        self._options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._options.log_severity_level = _ERRORS_ONLY
        self._providers = [
            name for name in onnxruntime.get_available_providers() if name != _REMOTE
        ]

    def load(self, name: str, version: int, path: str) -> OnnxModel:
        """See Platform.load.

        Raises ServingError: NOT_FOUND without the file, DATA_LOSS for files that may not be whole,
        UNIMPLEMENTED for an input or output that is no tensor the APIs can carry, INVALID_ARGUMENT
        for any other flaw.
        """
        file = Path(path) / _FILE
        if not file.is_file():
            raise ServingError(Code.NOT_FOUND, f"there is no {_FILE} in {path}")
        try:
            session = onnxruntime.InferenceSession(
                str(file), self._options, providers=self._providers
            )
        except Exception as error:
            # The file comes from outside, and the errors have no base class of their own.
            text = _text(error)
            code = Code.DATA_LOSS if _UNFINISHED.search(text) else Code.INVALID_ARGUMENT
            raise ServingError(code, f"Cannot load the ONNX graph {file}: {text}") from error
        return OnnxModel(session)

    def unload(self, servable: OnnxModel) -> None:
        """See Platform.unload."""
        del servable.session


def _specs(nodes: Iterable[Any], kind: str) -> dict[str, TensorSpec]:
    specs: dict[str, TensorSpec] = {}
    for node in nodes:
        dtype = _TYPES.get(node.type)
        if dtype is None:
            raise ServingError(
                Code.UNIMPLEMENTED,
                f"{kind} {node.name} of the ONNX graph is a {node.type}, which cannot be served",
            )
        # onnxruntime gives the same empty list for a scalar and for an unknown rank.
        shape = tuple(size if isinstance(size, int) else -1 for size in node.shape) or None
        specs[node.name] = TensorSpec(node.name, dtype, shape)
    return specs


def _fed(alias: str, array: Tensor) -> Tensor:
    if array.dtype != STRING.numpy:
        return array
    texts = np.empty(array.shape, object)
    item: Any
    for index, item in np.ndenumerate(array):
        try:
            texts[index] = item.decode()
        except UnicodeDecodeError as error:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"input {alias} has a string that is not UTF-8"
            ) from error
    return texts


def _strings(array: Tensor) -> Tensor:
    strings = np.empty(array.shape, STRING.numpy)
    item: Any
    for index, item in np.ndenumerate(array):
        strings[index] = item.encode()
    return strings


def _text(error: Exception) -> str:
    return _PREFIX.sub("", str(error)).strip()
