"""One request of sequences: its rows, each of its own length, and its answer."""

import threading
from collections.abc import Sequence

import numpy as np

from model_server.batching.answer import Answer
from model_server.batching.rows import Tensor, Tensors
from model_server.core.errors import Code, ServingError


class Sequences:
    """``inputs`` are [rows, steps, ...]; row ``n`` ends after ``lengths[n]`` steps.

    Whoever waits may cancel ``answer`` at any time: its rows leave before the next step.
    """

    def __init__(self, inputs: Tensors, lengths: Sequence[int]) -> None:
        self.inputs = inputs
        self.lengths = lengths
        self.answer: Answer[list[Tensor]] = Answer()
        self._found: dict[int, Sequence[Tensor]] = {}
        self._lock = threading.Lock()

    @property
    def is_over(self) -> bool:
        """Whether nobody needs its rows any more."""
        return self.answer.done()

    def fail(self, error: BaseException) -> None:
        """Ends it with this error, unless it ended before."""
        self.answer.fail(error)

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
        self.answer.give(whole)


class Row:
    """One sequence of a request, and the step it comes to next."""

    __slots__ = ("number", "position", "steps", "steps_left", "task")

    def __init__(self, task: Sequences, number: int) -> None:
        self.task = task
        self.number = number
        self.position = 0
        # Looked up once, and not at each of its steps.
        self.steps: Tensors = {alias: tensor[number] for alias, tensor in task.inputs.items()}
        self.steps_left = task.lengths[number]

    def next_inputs(self, alias: str) -> Tensor:
        """What goes into its next step, as one row."""
        position = self.position
        return self.steps[alias][position : position + 1]

    def go_on(self) -> None:
        """It comes to the step after."""
        self.position += 1
        self.steps_left -= 1
