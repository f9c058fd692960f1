"""The start of a server: until every model had its chance to load, absence is no final answer.

TensorFlow Serving opens its ports only after that. Here they are open at once, so a client that
took NOT_FOUND for "the server is up, but has no such model" would be misled: it is told UNAVAILABLE
instead, which is also what a closed port is to a gRPC client.
"""

import threading
from collections.abc import Callable, Collection

from model_server.core.errors import Code, ServableNotFound, ServingError
from model_server.core.lending import Handle
from model_server.core.servable import State
from model_server.servables.platform import Servable
from model_server.service.lender import Lender
from model_server.service.readiness import ModelSeen, Reason, judge

_LOOK_AGAIN = 0.05


def had_its_chance(seen: ModelSeen) -> bool:
    """Whether the model is ready, every version to be loaded was tried, or there is none."""
    if seen.finding is None:
        return False
    if judge(seen).ready:
        return True
    tried = {s.id.version for s in seen.statuses if s.state in (State.AVAILABLE, State.END)}
    return seen.finding.aspired <= tried | seen.failures.keys()


def absence(error: ServableNotFound, seen: ModelSeen | None) -> ServingError:
    """What a client is told of a servable that is not there, of a model there since the start.

    ``seen`` is None where no such model is configured.
    """
    if seen is None or any(s.state in (State.AVAILABLE, State.END) for s in seen.statuses):
        return error
    judged = judge(seen)
    if judged.reason in (Reason.LOADING, Reason.LOAD_FAILED):
        return ServingError(
            Code.UNAVAILABLE, f"Model {seen.name} is not available yet: {judged.message}"
        )
    return error


class Starting:
    """A lender that follows the models that were configured first until each had its chance.

    ``look`` returns what is seen of all configured models; ``over`` is called once, by a thread.
    """

    def __init__(
        self,
        lender: Lender,
        look: Callable[[], Collection[ModelSeen]],
        over: Callable[[], None] = lambda: None,
    ) -> None:
        self._lender = lender
        self._look = look
        self._over = over
        self._ended = threading.Event()
        self._is_over = threading.Event()
        self._names: frozenset[str] = frozenset()
        self._thread = threading.Thread(target=self._follow, name="starting", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._names = frozenset(seen.name for seen in self._look())
        self._thread.start()

    def stop(self) -> None:
        """Ends, whatever the models do; ``over`` is not called afterwards."""
        self._ended.set()

    def is_over(self) -> bool:
        """Whether every model had its chance."""
        return self._is_over.is_set()

    def handle(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Handle[Servable]:
        """See Lender. Raises ServingError, UNAVAILABLE for what may yet come."""
        try:
            return self._lender.handle(name, version, label)
        except ServableNotFound as error:
            raise self._answer(error) from error

    def _answer(self, error: ServableNotFound) -> ServingError:
        by_name = {seen.name: seen for seen in self._look()}
        if error.name in self._names:
            told = absence(error, by_name.get(error.name))
            if told is not error:
                return told
        # Looked at anew: who just saw that the server is ready must not be told otherwise.
        if self.is_over() or all(had_its_chance(model) for model in by_name.values()):
            return error
        return ServingError(Code.UNAVAILABLE, "The server is starting: models are being loaded")

    def _follow(self) -> None:
        while not all(had_its_chance(seen) for seen in self._look()):
            if self._ended.wait(_LOOK_AGAIN):
                return
        self._is_over.set()
        self._over()
