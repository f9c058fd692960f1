"""A signature: a callable of a servable with named, typed inputs and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from model_server.servables.dtypes import DType

Tensor = NDArray[np.generic]
Tensors = Mapping[str, Tensor]

DEFAULT_SIGNATURE = "serving_default"
PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"
# So begin the names of what members of a group ask of each other, and nobody else.
PART_PREFIX = "shard/"


@dataclass(frozen=True)
class TensorSpec:
    """One input or output: its name inside the servable, its type, its shape.

    ``shape`` is None when even the rank is unknown; a dimension of any size is -1.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs by alias, and what an input is when a request leaves it out."""

    name: str
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    method_name: str = PREDICT
    defaults: Tensors = field(default_factory=dict)

    @cached_property
    def every_output(self) -> tuple[str, ...]:
        """The aliases of all outputs, in their order."""
        return tuple(self.outputs)
