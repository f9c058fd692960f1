"""The threads that advance the rows of all requests for one model, while there are any."""

import threading
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass

from model_server.batching.rows import Tensor, Tensors
from model_server.batching.steps.group import Cell, Group
from model_server.batching.steps.sequences import Row, Sequences
from model_server.batching.steps.waiting import Waiting
from model_server.core.client import Client, client
from model_server.core.errors import Code, ServingError
from model_server.core.going_on import ended


@dataclass(frozen=True)
class StepLimits:
    """The most rows that are advanced at a time, that wait beside, and threads that advance.

    A thread takes ``share`` rows before another is worth its while: a few rows cost hardly more
    than one.
    """

    active: int = 128
    waiting: int = 8192
    threads: int = 1
    share: int = 8


class Stepper:
    """Advances rows of one model; thread-safe.

    Threads live as long as there are rows, so that an idle one keeps nothing of a model that may
    be unloaded.
    """

    def __init__(self, cell: Cell, limits: StepLimits, name: str) -> None:
        self._cell = cell
        self._limits = limits
        self._name = name
        self._lock = threading.Lock()
        self._waiting = Waiting()
        self._active = 0
        self._threads = 0

    def run(self, inputs: Tensors, lengths: Sequence[int]) -> Sequence[Tensor]:
        """The outputs for these rows, [rows, steps, ...] of so many steps each.

        Raises ServingError: UNAVAILABLE if too many rows wait, DEADLINE_EXCEEDED when the client's
        deadline passes, CANCELLED when it is gone; and what the model raises.
        """
        if not len(lengths):
            return self._cell.head(self._cell.start(0))
        task, asking = Sequences(inputs, lengths), client()
        self._add(task)
        asking.about_to_wait()
        asking.when_gone(task.answer.cancel)
        try:
            return _await(task, asking)
        finally:
            asking.when_gone(None)

    async def run_later(self, inputs: Tensors, lengths: Sequence[int]) -> Sequence[Tensor]:
        """The same for whoever is told when its client's deadline passes, and needs no thread.

        The thread that made the last step goes on with what comes after. Raises ServingError.
        """
        if not len(lengths):
            return self._cell.head(self._cell.start(0))
        task, asking = Sequences(inputs, lengths), client()
        self._add(task)
        asking.when_gone(task.answer.cancel)
        try:
            return await ended(task.answer)
        except CancelledError:
            raise ServingError(Code.CANCELLED, "The client is gone") from None
        finally:
            asking.when_gone(None)

    def _add(self, task: Sequences) -> None:
        with self._lock:
            if self._waiting.rows + len(task.lengths) > self._limits.waiting + self._room:
                raise ServingError(
                    Code.UNAVAILABLE,
                    f"{self._waiting.rows} rows wait for steps of {self._name}, and"
                    f" {len(task.lengths)} more would be over {self._limits.waiting}",
                )
            self._waiting.add(task)
            wanted = -(-(self._active + self._waiting.rows) // self._limits.share)
            starts = self._threads < min(self._limits.threads, wanted)
            self._threads += starts
        if starts:
            threading.Thread(target=self._work, name=f"steps-{self._name}", daemon=True).start()

    @property
    def _room(self) -> int:
        return self._limits.active - self._active

    def _work(self) -> None:
        groups: dict[Hashable, Group] = {}
        while self._admit(groups):
            for kind, group in list(groups.items()):
                before = len(group.rows)
                group.advance()
                with self._lock:
                    self._active -= before - len(group.rows)
                if not group.rows:
                    del groups[kind]

    def _admit(self, groups: dict[Hashable, Group]) -> bool:
        """Lets rows enter where there is room; whether there is anything to advance."""
        own = sum(len(group.rows) for group in groups.values())
        with self._lock:
            # As many for each thread, or the first would take all.
            equal = -(-(self._active + self._waiting.rows) // self._threads)
            share = max(equal, self._limits.share)
            taken = self._waiting.take(max(min(self._room, share - own), 0))
            self._active += len(taken)
            if not taken and not groups:
                self._threads -= 1
                return False
        entering: dict[Hashable, list[Row]] = {}
        for row in taken:
            entering.setdefault(_kind(row.task), []).append(row)
        for kind, rows in entering.items():
            if kind not in groups:
                groups[kind] = Group(self._cell)
            groups[kind].enter(rows)
        left = sum(len(group.rows) for group in groups.values())
        with self._lock:
            self._active -= own + len(taken) - left
        return True


def _await(task: Sequences, asking: Client) -> Sequence[Tensor]:
    remaining = asking.deadline
    if remaining is not None:
        remaining = max(remaining - time.monotonic(), 0.0)
    try:
        return task.answer.result(remaining)
    except CancelledError:
        raise ServingError(Code.CANCELLED, "The client is gone") from None
    except TimeoutError:
        if task.answer.cancel():
            raise ServingError(
                Code.DEADLINE_EXCEEDED, "The deadline passed before the last step"
            ) from None
    # It ended just now, or in a time-out of its own.
    return task.answer.result()


def _kind(task: Sequences) -> Hashable:
    """What is equal for rows that can be advanced together."""
    return tuple((alias, tensor.shape[2:]) for alias, tensor in sorted(task.inputs.items()))
