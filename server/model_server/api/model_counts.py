"""The requests of each model that are at hand, over all APIs, so that none has more than it may."""

import threading
from collections import Counter
from collections.abc import Callable

from model_server.core.errors import Code, ServingError

_NO_LIMIT = 0


def _tell_nobody() -> None:
    pass


class ModelCounts:
    """``most`` is how many requests of a model may run or wait, 0 any number; thread-safe."""

    def __init__(
        self,
        most: Callable[[str], int] = lambda _model: _NO_LIMIT,
        known: Callable[[str], bool] = lambda _model: True,
    ) -> None:
        """Of models that are not ``known`` all requests together are those of one, named ""."""
        self._most = most
        self._known = known
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def counted_as(self, model: str) -> str:
        """The model itself, or "", which has no limit: clients may make up many names."""
        return model if self._known(model) else ""

    def has_limit(self, model: str) -> bool:
        """Whether a model may have only so many requests."""
        return self._most(model) != _NO_LIMIT

    def request(self, model: str, refused: Callable[[], None] = _tell_nobody) -> "_Counted":
        """Counts a request, of what ``counted_as`` says, until the end of the block.

        Raises ServingError, RESOURCE_EXHAUSTED, after ``refused`` was told, if it is one too many.
        """
        return _Counted(self, model, refused)

    def take(self, model: str, refused: Callable[[], None] = _tell_nobody) -> bool:
        """See ``request``. Whether it was counted, and so ``give_back`` is to be called."""
        most = self._most(model) if model else _NO_LIMIT
        if most == _NO_LIMIT:
            return False
        with self._lock:
            if self._counts[model] >= most:
                refused()
                raise ServingError(
                    Code.RESOURCE_EXHAUSTED,
                    f"Model {model} has {self._counts[model]} requests at hand, which is its limit"
                    " by --max_in_flight_requests_per_model; try again",
                )
            self._counts[model] += 1
        return True

    def give_back(self, model: str) -> None:
        """A request that was counted is over."""
        with self._lock:
            self._counts[model] -= 1
            if not self._counts[model]:
                del self._counts[model]


class _Counted:
    """The block that a request is counted in."""

    __slots__ = ("_counts", "_is_counted", "_model", "_refused")

    def __init__(self, counts: ModelCounts, model: str, refused: Callable[[], None]) -> None:
        self._counts = counts
        self._model = model
        self._refused = refused

    def __enter__(self) -> None:
        self._is_counted = self._counts.take(self._model, self._refused)

    def __exit__(self, *_how: object) -> None:
        if self._is_counted:
            self._counts.give_back(self._model)
