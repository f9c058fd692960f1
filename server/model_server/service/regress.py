"""Regress: one number for each example."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_server.servables.signature import REGRESS, Signature, Tensor, Tensors
from model_server.service.example_task import (
    INPUTS,
    check_method_name,
    described,
    invalid,
    precondition,
    shape_text,
    type_text,
)

_OUTPUTS = "outputs"


@dataclass(frozen=True)
class Regress:
    """The task; see ExampleTask. Its result is a float32 array of shape [examples]."""

    check_method: bool = False
    api: str = "Regress"

    def check(self, signature: Signature) -> None:
        """See ExampleTask."""
        if self.check_method:
            check_method_name(signature, "regression", REGRESS)
        if len(signature.inputs) != 1:
            raise invalid("Expected one input Tensor.")
        if len(signature.outputs) != 1:
            raise invalid("Expected one output Tensor.")
        if INPUTS not in signature.inputs:
            raise precondition(
                f"No regression inputs found in SignatureDef: {described(signature)}"
            )
        if _OUTPUTS not in signature.outputs:
            raise precondition(
                f"No regression outputs found in SignatureDef: {described(signature)}"
            )

    def outputs(self, signature: Signature) -> Sequence[str]:
        """See ExampleTask."""
        return [_OUTPUTS]

    def result(self, outputs: Tensors, count: int) -> Tensor:
        """See ExampleTask."""
        values = outputs[_OUTPUTS]
        if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
            raise invalid(
                "Expected output Tensor shape to be either [batch_size] or [batch_size, 1]"
                f" but got {shape_text(values)}"
            )
        if values.shape[0] != count:
            raise invalid(
                f"Input batch size did not match output batch size: {count} vs. {values.shape[0]}"
            )
        if values.dtype != np.float32:
            raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {type_text(values)}")
        return values.reshape(-1)
