"""The signatures of a recurrent servable: one step, and what is made of the last state."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model_server.servables.platform import Servable
from model_server.servables.signature import Signature, Tensor, Tensors

STEP = "step"
HEAD = "head"
LENGTHS = "lengths"


@dataclass(frozen=True)
class Pair:
    """The two signatures of a servable, which is called by rows; see Cell."""

    servable: Servable
    step_signature: Signature
    head_signature: Signature
    states: tuple[str, ...]

    def start(self, rows: int) -> Tensors:
        """See Cell: zeros."""
        return {
            alias: np.zeros([rows, *self._shape(alias)], self._dtype(alias))
            for alias in self.states
        }

    def _shape(self, alias: str) -> tuple[int, ...]:
        return (self.step_signature.inputs[alias].shape or ())[1:]

    def _dtype(self, alias: str) -> Any:
        return self.step_signature.inputs[alias].dtype.numpy

    def step(self, inputs: Tensors, states: Tensors) -> Tensors:
        """See Cell."""
        found = self.servable.run(self.step_signature, {**inputs, **states}, self.states)
        return dict(zip(self.states, found, strict=True))

    def head(self, states: Tensors) -> Sequence[Tensor]:
        """See Cell: all outputs of the head, in order."""
        wanted = {alias: states[alias] for alias in self.head_signature.inputs}
        return self.servable.run(self.head_signature, wanted, tuple(self.head_signature.outputs))


def pair_of(servable: Servable) -> Pair | None:
    """The pair of a servable; None if it has none.

    Raises ValueError if the two do not belong together.
    """
    step, head = servable.signatures.get(STEP), servable.signatures.get(HEAD)
    if step is None or head is None:
        return None
    states = tuple(sorted(step.inputs.keys() & step.outputs.keys()))
    if not states:
        raise ValueError("no input of step is among its outputs, so there is no state")
    if states == tuple(sorted(step.inputs)):
        raise ValueError("all inputs of step are states, so there is nothing for a step to take")
    if LENGTHS in step.inputs:
        raise ValueError(f"an input of step is called {LENGTHS}, as that of sequence")
    strange = sorted(head.inputs.keys() - set(states))
    if strange or not head.inputs:
        raise ValueError(f"head takes {strange or 'nothing'}; it can take states: {list(states)}")
    for alias in states:
        given, taken = step.outputs[alias], step.inputs[alias]
        if given.dtype != taken.dtype:
            raise ValueError(
                f"state {alias} goes in as {taken.dtype.name} and comes out as {given.dtype.name}"
            )
        if not taken.shape or taken.shape[0] >= 0 or min(taken.shape[1:], default=1) < 0:
            raise ValueError(
                f"state {alias} has shape {taken.shape}; it must be any number of rows, and"
                " otherwise known"
            )
    return Pair(servable, step, head, states)
