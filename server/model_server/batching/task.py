"""One request that waits for its batch, whole or in parts."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_server.batching.answer import Answer
from model_server.batching.rows import Tensor, Tensors
from model_server.core.errors import Code, ServingError


class Task:
    """The rows of one request, and its answer: the outputs in order, each with as many rows.

    Whoever waits may cancel ``answer`` until the first part is taken to be run.
    """

    def __init__(
        self, inputs: Tensors, rows: int, enqueued: float = 0.0, *, may_be_shed: bool = False
    ) -> None:
        self.inputs = inputs
        self.rows = rows
        self.enqueued = enqueued
        self.may_be_shed = may_be_shed
        self.answer: Answer[list[Tensor]] = Answer()
        self._found: dict[int, Sequence[Tensor]] = {}
        self._rows_missing = rows
        self._lock = threading.Lock()

    def begin(self) -> bool:
        """Whether there is still something to run: nobody cancelled it and no part failed."""
        return self.answer.begin()

    def fail(self, error: BaseException) -> None:
        """Ends it with this error, unless it ended before."""
        self.answer.fail(error)

    def succeed(self, part: "Part", outputs: Sequence[Tensor]) -> None:
        """Takes the outputs of one part; with the last one the answer is whole."""
        with self._lock:
            self._found[part.first] = outputs
            self._rows_missing -= part.rows
            if self._rows_missing or self.answer.done():
                return
        # Whoever waits may go on here and now, for long: that is not to be done within the lock.
        try:
            whole = self._whole()
        except ValueError as error:
            # Each part may have another shape, if the model is one whose rows are not alike.
            self.fail(ServingError(Code.FAILED_PRECONDITION, f"Cannot join the parts: {error}"))
            return
        self.answer.give(whole)

    def _whole(self) -> list[Tensor]:
        if len(self._found) == 1:
            return list(next(iter(self._found.values())))
        parts = [outputs for _, outputs in sorted(self._found.items())]
        return [np.concatenate(rows) for rows in zip(*parts, strict=True)]


@dataclass(frozen=True, eq=False)
class Part:
    """So many rows of a task from its row ``first`` on, which run in one batch."""

    task: Task
    first: int
    rows: int

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the task."""
        return self.rows == self.task.rows

    @property
    def inputs(self) -> Tensors:
        """Its rows of the task's inputs."""
        if self.is_whole:
            return self.task.inputs
        rows = slice(self.first, self.first + self.rows)
        return {alias: tensor[rows] for alias, tensor in self.task.inputs.items()}
