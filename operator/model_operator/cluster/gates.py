"""Takes gates of groups away: one decision at a time, each by the accelerators as they are then."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from model_operator.cluster.client import Cluster
from model_operator.cluster.inventory import Inventories
from model_operator.domain.placement.capacity import Inventory
from model_operator.domain.seen.gangs import Release

logger = logging.getLogger(__name__)

# By the inventory, which is None where nobody may look at nodes.
Decide = Callable[[Inventory | None], Sequence[Release]]
_MOST_REMEMBERED = 10_000


class Gates:
    """The only hand that opens gates, so that no two groups are promised the same accelerators."""

    def __init__(self, cluster: Cluster, inventories: Inventories) -> None:
        self._cluster = cluster
        self._inventories = inventories
        self._lock = asyncio.Lock()
        # Watches may show a gate for a moment after it was taken away; it never comes back.
        self._opened: set[str] = set()

    async def open(self, namespace: str, decide: Decide) -> None:
        """Carry out what is decided.

        Raises:
            ApiError: a gate could not be taken away. The others of its group were, and the next
                decision goes on with it.
        """
        if not await self._decided(decide, of_now=False):
            return
        async with self._lock:
            for release in await self._decided(decide, of_now=True):
                self._inventories.outdate()
                await self._carry_out(namespace, release)

    async def _decided(self, decide: Decide, of_now: bool) -> Sequence[Release]:
        inventory = await self._inventories.latest(of_now)
        # Who could not look just now will; who may not look must leave it to the scheduler.
        is_known = inventory is not None or self._inventories.is_forbidden
        return decide(inventory) if is_known else ()

    async def _carry_out(self, namespace: str, release: Release) -> None:
        closed = [pod for pod in release.pods if pod.uid not in self._opened]
        answers = await asyncio.gather(
            *(self._cluster.open_gate(namespace, pod, release) for pod in closed),
            return_exceptions=True,
        )
        if len(self._opened) > _MOST_REMEMBERED:
            self._opened.clear()
        refusals = []
        for pod, answer in zip(closed, answers, strict=True):
            if isinstance(answer, BaseException):
                refusals.append(answer)
            else:
                self._opened.add(pod.uid)
                logger.info("opened the gate of pod %s/%s", namespace, pod.name)
        if refusals:
            raise refusals[0]
