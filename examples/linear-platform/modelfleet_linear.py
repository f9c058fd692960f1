"""The platform ``linear``: y = x · weights + bias, from ``linear.json`` in the version folder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_server.core.errors import Code, ServingError
from model_server.servables.dtypes import FLOAT
from model_server.servables.platform import Runtime
from model_server.servables.signature import (
    DEFAULT_SIGNATURE,
    Signature,
    Tensor,
    Tensors,
    TensorSpec,
)


class LinearModel:
    """One loaded version; many threads may call ``run`` at once."""

    def __init__(self, weights: NDArray[np.float32], bias: np.float32) -> None:
        self._weights = weights
        self._bias = bias
        self.signatures: Mapping[str, Signature] = {
            DEFAULT_SIGNATURE: Signature(
                name=DEFAULT_SIGNATURE,
                inputs={"x": TensorSpec("x", FLOAT, (-1, len(weights)))},
                outputs={"y": TensorSpec("y", FLOAT, (-1,))},
            )
        }

    def run(self, signature: Signature, inputs: Tensors, outputs: Sequence[str]) -> list[Tensor]:
        """The outputs asked for; the server has checked names and types, but no shapes."""
        x = inputs["x"].astype(np.float32, copy=False)
        if x.ndim != 2 or x.shape[1] != len(self._weights):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"input x must have shape [?,{len(self._weights)}], but has {list(x.shape)}",
            )
        return [x @ self._weights + self._bias for _ in outputs]


class Linear:
    """Loads linear models."""

    def __init__(self, runtime: Runtime) -> None:
        """``runtime`` is what the server's flags say; nothing of it matters here."""

    def load(self, name: str, version: int, path: str) -> LinearModel:
        """The model in this folder, or a ServingError that says why there is none."""
        file = Path(path) / "linear.json"
        try:
            written = json.loads(file.read_text())
            weights = np.array(written["weights"], np.float32)
            bias = np.float32(written["bias"])
        except FileNotFoundError as error:
            raise ServingError(Code.NOT_FOUND, f"there is no linear.json in {path}") from error
        except (KeyError, TypeError, ValueError) as error:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"{file} is no linear model: {error}"
            ) from error
        if weights.ndim != 1:
            raise ServingError(Code.INVALID_ARGUMENT, f"{file}: weights must be a list of numbers")
        return LinearModel(weights, bias)

    def unload(self, servable: LinearModel) -> None:
        """Gives back what ``load`` took: here nothing but memory, which goes by itself."""
