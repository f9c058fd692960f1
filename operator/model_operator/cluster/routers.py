"""What the routers of a namespace do: the weights that they hold to, and what they count."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from model_operator.cluster.readiness import Readiness, Reply
from model_operator.domain.errors import UNREADABLE
from model_operator.domain.evidence.counts import Told, told_in
from model_operator.domain.routing.routers import HEALTH_PORT
from model_operator.domain.seen.pods import Pod

# A namespace may have some thousand models, each with a line of its own.
_LONGEST_ANSWER = 8 << 20


class Routers:
    """Asks routers over their pods' addresses.

    One answer tells of all models of a namespace, so that all passes of a second share it.
    """

    def __init__(self, readiness: Readiness, port: int = HEALTH_PORT) -> None:
        self._readiness = readiness
        self._port = port
        self._asked: dict[tuple[str, str], tuple[float, asyncio.Task[Reply | None]]] = {}

    async def programmed(self, name: str, pods: Iterable[Pod]) -> Mapping[str, int] | None:
        """The weights of a model, if all these pods hold to the same."""
        replies = await asyncio.gather(*(self._reply(pod.ip, "/readyz") for pod in pods))
        found = [weights_in(reply.document if reply else None, name) for reply in replies]
        return found[0] if found and all(item == found[0] for item in found) else None

    async def told(self, name: str, pods: Sequence[Pod]) -> tuple[Told, ...]:
        """What each of these pods has counted for a model."""
        replies = await asyncio.gather(*(self._reply(pod.ip, "/counts") for pod in pods))
        return tuple(_told(pod.name, reply, name) for pod, reply in zip(pods, replies, strict=True))

    async def _reply(self, address: str, path: str) -> Reply | None:
        now = asyncio.get_running_loop().time()
        self._asked = {key: asked for key, asked in self._asked.items() if now - asked[0] < 1}
        if (address, path) not in self._asked:
            asking = self._readiness.look(address, self._port, path, _LONGEST_ANSWER)
            self._asked[address, path] = (now, asyncio.ensure_future(asking))
        # A pass that is cancelled must not take the answer from the others.
        return await asyncio.shield(self._asked[address, path][1])


def _told(router: str, reply: Reply | None, name: str) -> Told:
    if reply is None:
        return Told(router, trouble="does not answer")
    if reply.status == HTTPStatus.NOT_FOUND:
        return Told(router, trouble="is of a release that does not tell its counts")
    if reply.status != HTTPStatus.OK:
        return Told(router, trouble=f"does not tell its counts now (HTTP {reply.status})")
    return told_in(router, reply.document, name)


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
