"""What the routers of a namespace do: the weights that they hold to."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from model_operator.cluster.readiness import Readiness
from model_operator.domain.errors import UNREADABLE
from model_operator.domain.observed import Pod
from model_operator.domain.routers import HEALTH_PORT

# A namespace may have some thousand models, each with a line of its own.
_LONGEST_ANSWER = 8 << 20


class Routers:
    """Asks routers over their pods' addresses.

    One answer tells of all models of a namespace, so that all passes of a second share it.
    """

    def __init__(self, readiness: Readiness, port: int = HEALTH_PORT) -> None:
        self._readiness = readiness
        self._port = port
        self._asked: dict[str, tuple[float, asyncio.Task[Any]]] = {}

    async def programmed(self, name: str, pods: Iterable[Pod]) -> Mapping[str, int] | None:
        """The weights of a model, if all these pods hold to the same."""
        answers = await asyncio.gather(*(self._answer(pod.ip) for pod in pods))
        found = [weights_in(answer, name) for answer in answers]
        return found[0] if found and all(item == found[0] for item in found) else None

    async def _answer(self, address: str) -> Any:
        now = asyncio.get_running_loop().time()
        self._asked = {key: (at, task) for key, (at, task) in self._asked.items() if now - at < 1}
        if address not in self._asked:
            asking = self._readiness.ask(address, self._port, _LONGEST_ANSWER)
            self._asked[address] = (now, asyncio.ensure_future(asking))
        # A pass that is cancelled must not take the answer from the others.
        return await asyncio.shield(self._asked[address][1])


def takes_requests(pod: Pod) -> bool:
    """Whether a router gets requests, as far as its pod shows."""
    return pod.is_ready and bool(pod.ip) and not pod.is_terminating


def weights_in(answer: Any, name: str) -> dict[str, int] | None:
    """The weights that a router's answer tells for a model; None when it tells none."""
    try:
        model = next(item for item in answer["models"] if item["name"] == name)
        return {str(key): int(value) for key, value in model["weights"].items()} or None
    except UNREADABLE:
        return None
