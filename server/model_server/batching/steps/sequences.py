"""One request of sequences: its rows, each of its own length, and its answer."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from model_server.batching.rows import Tensor, Tensors
from model_server.core.errors import Code, ServingError


class Sequences:
    """``inputs`` are [rows, steps, ...]; row ``n`` ends after ``lengths[n]`` steps.

    Whoever waits may cancel ``answer`` at any time: its rows leave before the next step.
    """

    def __init__(self, inputs: Tensors, lengths: Sequence[int]) -> None:
        self.inputs = inputs
        self.lengths = lengths
        self.answer: Future[list[Tensor]] = Future()
        self._found: dict[int, Sequence[Tensor]] = {}
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether nobody needs its rows any more."""
        return self.answer.done()

    def fail(self, error: BaseException) -> None:
        """Ends it with this error, unless it ended before."""
        with suppress(InvalidStateError):
            self.answer.set_exception(error)

    def succeed(self, number: int, outputs: Sequence[Tensor]) -> None:
        """Takes the outputs of one row, each of one row; with the last the answer is whole."""
        with self._lock:
            self._found[number] = outputs
            if len(self._found) < len(self.lengths):
                return
            rows = [outputs for _, outputs in sorted(self._found.items())]
        try:
            whole = [np.concatenate(each) for each in zip(*rows, strict=True)]
        except ValueError as error:
            self.fail(ServingError(Code.FAILED_PRECONDITION, f"Cannot join the rows: {error}"))
            return
        with suppress(InvalidStateError):
            self.answer.set_result(whole)


@dataclass(eq=False)
class Row:
    """One sequence of a request, and the step it comes to next."""

    task: Sequences
    number: int
    position: int = 0

    @property
    def is_finished(self) -> bool:
        """Whether no step is left."""
        return self.position >= self.task.lengths[self.number]

    def step_inputs(self, alias: str) -> Tensor:
        """What goes into its next step."""
        found: Tensor = self.task.inputs[alias][self.number, self.position]
        return found
