"""Which requests of an API run and which wait, so that no model keeps the others waiting."""

import threading
from collections import deque
from collections.abc import Callable

from model_server.core.client import client
from model_server.core.errors import Code, ServingError


class _Waiting:
    """A request that waits for its turn; ``has_turn`` tells how the wait ended."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.has_turn = False


class FairTurns:
    """``together`` requests run at a time, and of each model ``own`` in any case; thread-safe.

    So the first requests of a model never wait for those of others, however slow these are. What
    has to wait gets its turn by model in rotation, and within a model in order of arrival. As each
    holds a thread while it waits, there is ``room`` for so many; a model may have as many as there
    is room left, so that one alone fills half of it, and there is always room for others.
    """

    def __init__(
        self,
        together: int,
        own: int | Callable[[str], int] = 1,
        room: int = 1024,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        """``own`` may depend on the model; ``refused`` is told of requests without room."""
        self._refused = refused
        self._together = together
        self._own = own if callable(own) else lambda _model: own
        self._room = room
        self._lock = threading.Lock()
        self._running: dict[str, int] = {}
        self._all_running = 0
        # By model, in the order of whose turn is next; only models that wait.
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._all_waiting = 0

    @property
    def running(self) -> int:
        """How many requests run now."""
        return self._all_running

    @property
    def waiting(self) -> int:
        """How many requests wait now."""
        return self._all_waiting

    def turn(self, model: str) -> "_Turn":
        """Waits until a request of this model may run, which it does until the end of the block.

        Raises ServingError: RESOURCE_EXHAUSTED at once if the model has too many waiting,
        CANCELLED when this thread's client is gone.
        """
        return _Turn(self, model)

    def give_back(self, model: str) -> None:
        """A request that took a turn needs it no more."""
        with self._lock:
            running = self._running[model]
            if running == 1:
                del self._running[model]
            else:
                self._running[model] = running - 1
            self._all_running -= 1
            if self._waiting:
                self._hand_out()

    def take(self, model: str) -> None:
        """See ``turn``; the end of the block is when ``give_back`` is called."""
        with self._lock:
            # Where nobody waits this is all there is to do.
            if model not in self._waiting and self._may_run(model):
                self._run(model)
                return
            waiting = self._wait(model)
        asking = client()
        asking.about_to_wait()
        asking.when_gone(lambda: self._leave(model, waiting))
        waiting.ended.wait()
        asking.when_gone(None)
        if not waiting.has_turn:
            raise ServingError(Code.CANCELLED, "The client is gone")

    def _may_run(self, model: str) -> bool:
        return self._all_running < self._together or (
            self._running.get(model, 0) < self._own(model)
        )

    def _run(self, model: str) -> None:
        self._running[model] = self._running.get(model, 0) + 1
        self._all_running += 1

    def _wait(self, model: str) -> _Waiting:
        queue = self._waiting.get(model, deque())
        if len(queue) >= self._room_left():
            self._refused()
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"{len(queue)} requests of model {model} wait for their turn already; try again",
            )
        waiting = _Waiting()
        queue.append(waiting)
        self._waiting[model] = queue
        self._all_waiting += 1
        return waiting

    def _room_left(self) -> int:
        # What runs beyond the number that runs together holds threads that could wait, too.
        return self._room - self._all_waiting - max(self._all_running - self._together, 0)

    def _hand_out(self) -> None:
        while (model := next(filter(self._may_run, self._waiting), None)) is not None:
            queue = self._waiting.pop(model)
            waiting = queue.popleft()
            if queue:
                self._waiting[model] = queue
            self._all_waiting -= 1
            self._run(model)
            waiting.has_turn = True
            waiting.ended.set()

    def _leave(self, model: str, waiting: _Waiting) -> None:
        with self._lock:
            queue = self._waiting.get(model)
            if queue is None or waiting not in queue:
                # It has its turn already.
                return
            queue.remove(waiting)
            if not queue:
                del self._waiting[model]
            self._all_waiting -= 1
        waiting.ended.set()


class _Turn:
    """The block that a request runs in. A class, because a generator costs twice as much."""

    __slots__ = ("_model", "_turns")

    def __init__(self, turns: FairTurns, model: str) -> None:
        self._turns = turns
        self._model = model

    def __enter__(self) -> None:
        self._turns.take(self._model)

    def __exit__(self, *_how: object) -> None:
        self._turns.give_back(self._model)
