"""The accelerators of the whole cluster, read when a plan asks for them."""

import asyncio
import logging
import time
from http import HTTPStatus

from model_operator.cluster.client import Cluster
from model_operator.domain.errors import ApiError
from model_operator.domain.placement.capacity import (
    Claim,
    Inventory,
    Use,
    claim_of,
    node_of,
    use_of,
)

logger = logging.getLogger(__name__)

# Pods that hold something or are about to.
_LIVING = "status.phase!=Succeeded,status.phase!=Failed"
# Many ModelDeployments may wait for the same accelerators; one look serves them all. In a large
# cluster it takes long, and is kept so much longer.
_KEPT_SECONDS = 3.0
_KEPT_FOR_EACH_SECOND = 20.0
# Rights change seldom, and a refusal costs as much as an answer.
_FORBIDDEN_SECONDS = 600.0


class Inventories:
    """Lists nodes and pods on demand.

    A watch would bring every pod of the cluster through this process all the time, and only a
    pod that waits for an accelerator needs to know who holds them.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._latest: Inventory | None = None
        self._kept_until = float("-inf")
        self._is_forbidden = False
        self._lock = asyncio.Lock()

    @property
    def is_forbidden(self) -> bool:
        """True when the last look was refused for want of rights."""
        return self._is_forbidden

    def outdate(self) -> None:
        """Look anew next time: who held what has just been changed."""
        if not self._is_forbidden:
            self._kept_until = float("-inf")

    async def latest(self, of_now: bool = False) -> Inventory | None:
        """None when it cannot be read, for lack of rights or else.

        Args:
            of_now: looked at after this call; otherwise it may be some seconds old.
        """
        async with self._lock:
            began = time.monotonic()
            if began < self._kept_until and (self._is_forbidden or not of_now):
                return self._latest
            self._is_forbidden = False
            try:
                self._latest = await self._look()
            except ApiError as error:
                self._give_up(error)
            ended = time.monotonic()
            kept = max(_KEPT_SECONDS, _KEPT_FOR_EACH_SECOND * (ended - began))
            self._kept_until = ended + (_FORBIDDEN_SECONDS if self._is_forbidden else kept)
            return self._latest

    async def _look(self) -> Inventory:
        nodes = [node_of(manifest) async for manifest in self._cluster.all("Node")]
        uses: list[Use] = []
        claims: list[Claim] = []
        async for pod in self._cluster.all("Pod", _LIVING):
            if use := use_of(pod):
                uses.append(use)
            elif claim := claim_of(pod):
                claims.append(claim)
        return Inventory(tuple(nodes), tuple(uses), tuple(claims))

    def _give_up(self, error: ApiError) -> None:
        # Counts make a status clearer; nothing may fail for want of them.
        self._latest = None
        self._is_forbidden = error.status == HTTPStatus.FORBIDDEN
        if self._is_forbidden:
            logger.info("free accelerators are not counted: nodes may not be listed")
        else:
            logger.warning("free accelerators are not counted: %s", error)
