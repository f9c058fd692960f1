"""What the routers of a namespace do: the weights that they hold to."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from model_operator.cluster.readiness import Readiness
from model_operator.domain.observed import Pod
from model_operator.domain.routers import HEALTH_PORT

# A namespace may have some thousand models, each with a line of its own.
_LONGEST_ANSWER = 8 << 20


async def programmed(
    readiness: Readiness, name: str, pods: Iterable[Pod], port: int = HEALTH_PORT
) -> Mapping[str, int] | None:
    """The weights of a model, if all routers that may get requests hold to the same."""
    asked = [pod for pod in pods if pod.is_ready and pod.ip and not pod.is_terminating]
    answers = await asyncio.gather(*(readiness.ask(pod.ip, port, _LONGEST_ANSWER) for pod in asked))
    found = [weights_in(answer, name) for answer in answers]
    return found[0] if found and all(item == found[0] for item in found) else None


def weights_in(answer: Any, name: str) -> dict[str, int] | None:
    """The weights that a router's answer tells for a model; None when it tells none."""
    try:
        model = next(item for item in answer["models"] if item["name"] == name)
        return {str(key): int(value) for key, value in model["weights"].items()} or None
    except (StopIteration, KeyError, TypeError, ValueError, AttributeError):
        return None
