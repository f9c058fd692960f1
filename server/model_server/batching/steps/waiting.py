"""The rows that wait to be advanced: requests take turns, a row each."""

from collections import deque
from collections.abc import Iterator

from model_server.batching.steps.sequences import Row, Sequences


class Waiting:
    """Requests of which rows wait; not thread-safe.

    A place goes to one row of each request in turn, so that a request of a thousand rows does not
    hold up one that comes after it.
    """

    def __init__(self) -> None:
        self._turns: deque[Iterator[Row]] = deque()
        self.rows = 0

    def add(self, task: Sequences) -> None:
        """Lets the rows of a request wait."""
        self._turns.append(Row(task, number) for number in range(len(task.lengths)))
        self.rows += len(task.lengths)

    def take(self, places: int) -> list[Row]:
        """So many rows at most, which no longer wait; none of requests that are over."""
        taken: list[Row] = []
        while self._turns and len(taken) < places:
            turn = self._turns.popleft()
            row = next(turn, None)
            if row is None:
                continue
            self.rows -= 1
            self._turns.append(turn)
            if not row.task.is_over:
                taken.append(row)
        return taken

    def end(self) -> list[Sequences]:
        """Empties it; the requests that were there."""
        tasks = [row.task for turn in self._turns for row in turn]
        self._turns.clear()
        self.rows = 0
        return list(dict.fromkeys(tasks))
