"""Rows that are advanced together: their states, and what happens at one step."""

import logging
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import numpy as np

from model_server.batching.rows import Tensor, Tensors
from model_server.batching.steps.sequences import Row
from model_server.core.errors import Code, ServingError

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Cell(Protocol):
    """A recurrent model; all tensors have a row for each row."""

    def start(self, rows: int) -> Tensors:
        """The states before the first step."""

    def step(self, inputs: Tensors, states: Tensors) -> Tensors:
        """The states after a step. Raises ServingError."""

    def head(self, states: Tensors) -> Sequence[Tensor]:
        """The outputs after the last step. Raises ServingError."""


class Group:
    """Rows whose steps have the same shapes; used by one thread."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._states = cell.start(0)
        self.rows: list[Row] = []

    def enter(self, rows: Sequence[Row]) -> None:
        """Adds rows at their first step; those without one are answered and leave."""
        new = self._cell.start(len(rows))
        self.rows += rows
        self._states = {
            alias: np.concatenate([state, new[alias]]) for alias, state in self._states.items()
        }
        self._finish()

    def advance(self) -> None:
        """One step of all rows; those without another one are answered and leave.

        Raises nothing: a row whose step fails ends its request, and no other.
        """
        self._keep([not row.task.is_over for row in self.rows])
        if not self.rows:
            return
        inputs = {
            alias: np.concatenate([row.next_inputs(alias) for row in self.rows])
            for alias in self.rows[0].steps
        }
        self._states = self._stepped(inputs)
        for row in self.rows:
            row.go_on()
        self._finish()

    def _stepped(self, inputs: Tensors) -> Tensors:
        try:
            return _of_rows(self._cell.step(inputs, self._states), len(self.rows))
        except BaseException as error:
            # A platform may be anybody's code; whatever it raises, somebody waits for an answer.
            if len(self.rows) == 1:
                self.rows.pop().task.fail(error)
                return self._cell.start(0)
            _log.debug("a step of %d rows failed, each is run by itself: %s", len(self.rows), error)
        alone = _each_alone(
            self.rows,
            lambda n: _of_rows(self._cell.step(_row(inputs, n), _row(self._states, n)), 1),
        )
        self.rows = [row for row, _ in alone]
        return _joined(self._cell.start(0), [states for _, states in alone])

    def _finish(self) -> None:
        over = [not row.steps_left for row in self.rows]
        if not any(over):
            return
        rows = [row for row, is_over in zip(self.rows, over, strict=True) if is_over]
        states = {alias: state[np.array(over)] for alias, state in self._states.items()}
        self._keep([not each for each in over])
        try:
            outputs = _all_of_rows(self._cell.head(states), len(rows))
        except BaseException as error:
            if len(rows) == 1:
                rows[0].task.fail(error)
                return
            found = _each_alone(rows, lambda n: _all_of_rows(self._cell.head(_row(states, n)), 1))
        else:
            found = [(row, [each[n : n + 1] for each in outputs]) for n, row in enumerate(rows)]
        for row, own in found:
            row.task.succeed(row.number, own)

    def _keep(self, kept: Sequence[bool]) -> None:
        if all(kept):
            return
        self.rows = [row for row, stays in zip(self.rows, kept, strict=True) if stays]
        mask = np.array(kept, bool)
        self._states = {alias: state[mask] for alias, state in self._states.items()}


def _each_alone(rows: Sequence[Row], run: Callable[[int], T]) -> list[tuple[Row, T]]:
    """What each row gives by itself; those that raise end their requests."""
    found = []
    for number, row in enumerate(rows):
        try:
            found.append((row, run(number)))
        except BaseException as error:
            row.task.fail(error)
    return found


def _row(tensors: Tensors, number: int) -> Tensors:
    return {alias: tensor[number : number + 1] for alias, tensor in tensors.items()}


def _joined(empty: Tensors, states: Sequence[Tensors]) -> Tensors:
    return {
        alias: np.concatenate([start, *(each[alias] for each in states)])
        for alias, start in empty.items()
    }


def _of_rows(tensors: Tensors, rows: int) -> Tensors:
    _all_of_rows(list(tensors.values()), rows)
    return tensors


def _all_of_rows(tensors: Sequence[Tensor], rows: int) -> Sequence[Tensor]:
    for tensor in tensors:
        if tensor.ndim == 0 or len(tensor) != rows:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"The model gave a tensor of shape {list(tensor.shape)} for {rows} rows",
            )
    return tensors
