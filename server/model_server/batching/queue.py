"""The batches of one signature that form and wait: a pure decision, given the time."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from model_server.batching.bundle import Taken
from model_server.batching.rows import Tensor, Tensors, mergeable
from model_server.batching.side_by_side import NOTHING_RUNS, Running
from model_server.batching.task import Part, Task
from model_server.core.errors import Code, ServingError
from model_server.options.batching import Batching

Run = Callable[[Tensors], Sequence[Tensor]]


class Batch(NamedTuple):
    """What is to be run now: its parts in order of arrival, by which rules, how, and whose.

    Batches of one ``kind`` could have been one. Instead of parts it may have what was ``taken`` of
    a bundle. It was taken at the time ``began``, and ``waited`` is for how long each request had
    waited then that begins in it, the longest first.
    """

    parts: Sequence[Part]
    rules: Batching
    run: Run
    kind: Hashable = None
    key: Hashable = None
    model: Hashable = None
    taken: Taken | None = None
    began: float = 0.0
    waited: Sequence[float] = ()

    @property
    def rows(self) -> int:
        """Those of all requests."""
        if self.taken is not None:
            return sum(self.taken.rows)
        return sum(part.rows for part in self.parts)

    @property
    def requests(self) -> int:
        """How many there are, each counted where its last row is."""
        if self.taken is not None:
            return len(self.taken.rows)
        return sum(part.first + part.rows == part.task.rows for part in self.parts)

    def waits(self, now: float) -> list[float]:
        """What ``waited`` is at that time."""
        if self.taken is not None:
            return sorted(self.taken.waited(), reverse=True)
        came = {part.task: part.task.enqueued for part in self.parts if not part.first}
        return sorted((now - at for at in came.values()), reverse=True)


@dataclass(eq=False)
class _Forming:
    """``rows`` are those of all ``parts``, which is not to be counted for each that comes."""

    kind: Hashable
    since: float
    parts: list[Part] = field(default_factory=list)
    rows: int = 0
    is_closed: bool = False

    def add(self, part: Part) -> None:
        self.parts.append(part)
        self.rows += part.rows

    def keep(self, parts: list[Part]) -> None:
        self.parts = parts
        self.rows = sum(part.rows for part in parts)


class BatchQueue:
    """Batches in order of their first task; not thread-safe. Times are seconds of one clock.

    Tasks whose shapes differ form batches of their own, so that nobody suffers from another's
    shape. A batch is ready when it is full, when the next task found no place in it, or when it is
    older than the timeout. Without a timeout it is ready at once, unless what runs is to be waited
    for: see Running.
    """

    def __init__(self, rules: Batching, run: Run) -> None:
        self._rules = rules
        self._run = run
        self._batches: list[_Forming] = []

    def __len__(self) -> int:
        return len(self._batches)

    def offer(self, task: Task) -> None:
        """Puts a task into the last batch of its kind, or into new ones.

        Raises ServingError: INVALID_ARGUMENT if it is larger than any batch, UNAVAILABLE if there
        are too many batches.
        """
        rules = self._rules
        if task.rows > rules.max_size:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Task size {task.rows} is larger than maximum input batch size {rules.max_size}",
            )
        kind = self._kind(task)
        of_kind = [batch for batch in self._batches if batch.kind == kind]
        last = of_kind[-1] if of_kind and not of_kind[-1].is_closed else None
        room = self._room(last, task)
        new = -(-(task.rows - room) // rules.max_execution_size) if task.rows else 1
        if new and len(of_kind) + new > rules.max_enqueued:
            raise too_many(len(of_kind), rules)
        if last is not None and room:
            last.add(Part(task, 0, room))
        if last is not None:
            last.is_closed = new > 0 or last.rows >= rules.max_execution_size
        self._add_new(task, kind, room)

    def _kind(self, task: Task) -> Hashable:
        if not task.rows:
            # Nothing can be said of whose rows are whose: it runs by itself.
            return task
        return mergeable(task.inputs, pad=self._rules.pad_variable_length_inputs)

    def _room(self, last: _Forming | None, task: Task) -> int:
        """How many rows of the task the last batch takes."""
        if last is None:
            return 0
        room = self._rules.max_execution_size - last.rows
        if room >= task.rows:
            return task.rows
        return room if self._rules.split_large else 0

    def _add_new(self, task: Task, kind: Hashable, first: int) -> None:
        limit = self._rules.max_execution_size
        for start in range(first, task.rows, limit) if task.rows else (0,):
            part = Part(task, start, min(limit, task.rows - start))
            full = part.rows == limit or not task.rows
            self._batches.append(_Forming(kind, task.enqueued, [part], part.rows, full))

    def take(self, now: float, running: Running = NOTHING_RUNS) -> Batch | None:
        """The first batch that is ready, which leaves the queue; its tasks have begun."""
        for batch in [each for each in self._batches if self._ready_at(each, running) <= now]:
            parts = [part for part in self._taken(batch, running) if part.task.begin()]
            if parts:
                return Batch(parts, self._rules, self._run, batch.kind)
        return None

    def _taken(self, batch: _Forming, running: Running) -> list[Part]:
        room = running.rows_to_take(batch.kind, batch.rows, self._rules)
        taken = batch.parts[:1]
        left = room - taken[0].rows
        for part in batch.parts[1:]:
            left -= part.rows
            if left < 0:
                break
            taken.append(part)
        batch.keep(batch.parts[len(taken) :])
        if not batch.parts:
            self._batches.remove(batch)
        else:
            # Others join it, so that it could keep those of other kinds waiting for ever.
            self._batches.sort(key=lambda each: each.kind == batch.kind)
        return taken

    def take_like(self, task: Task, rows: int) -> list[Part]:
        """What can be of one batch with a task, in order, of so many rows at most; it has begun."""
        taken: list[Part] = []
        kind = self._kind(task)
        for batch in [each for each in self._batches if each.kind == kind]:
            left = list(batch.parts)
            while left and left[0].rows <= rows:
                part = left.pop(0)
                if part.task.begin():
                    taken.append(part)
                    rows -= part.rows
            batch.keep(left)
            if left:
                break
            self._batches.remove(batch)
        return taken

    def remove(self, task: Task) -> None:
        """Takes out what there is of a task."""
        for batch in self._batches:
            batch.keep([part for part in batch.parts if part.task is not task])
        self._batches = [batch for batch in self._batches if batch.parts]

    def ready_at(self, running: Running = NOTHING_RUNS) -> float | None:
        """When ``take`` will have something, if nothing comes or ends; None if it will not."""
        earliest = min((self._ready_at(each, running) for each in self._batches), default=math.inf)
        return None if earliest == math.inf else earliest

    def _ready_at(self, batch: _Forming, running: Running) -> float:
        if batch.is_closed:
            return batch.since
        if self._rules.timeout:
            return batch.since + self._rules.timeout.total_seconds()
        wait = running.wait(batch.kind, batch.rows, self._rules)
        return batch.since if batch.rows >= wait.rows else wait.until

    def rows_of(self, kind: Hashable) -> int:
        """How many rows of a kind wait."""
        return sum(batch.rows for batch in self._batches if batch.kind == kind)

    def waiting(self) -> list[Task]:
        """The tasks in the queue, in order."""
        return list(dict.fromkeys(part.task for batch in self._batches for part in batch.parts))


def too_many(batches: int, rules: Batching) -> ServingError:
    """For a request that would be of one batch more than may wait."""
    return ServingError(
        Code.UNAVAILABLE,
        "The batch scheduling queue to which this task was submitted is full; currently"
        f" {batches} batches enqueued and max_enqueued_batches is {rules.max_enqueued}",
    )
