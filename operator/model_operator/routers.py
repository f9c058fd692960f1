"""One pass over the router of one namespace: observe, plan, apply."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from model_operator.cluster.cache import Written
from model_operator.cluster.client import Cluster
from model_operator.domain.errors import OperatorError
from model_operator.domain.manifests import Manifest, ObjectKey, key_of, uid_of
from model_operator.domain.routing.routers import is_router
from model_operator.plan.routers import plan_router
from model_operator.settings import RouterSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SeenRouter:
    """What watches show of a namespace: whether a router is needed, and the objects of its own."""

    is_needed: bool
    objects: Mapping[ObjectKey, Manifest]


class NotOurs(OperatorError):
    """Somebody else's object has the name that a router's would have."""


def owner_of(namespace: str) -> str:
    """How writes for a namespace's router are remembered; no uid of an object looks like it."""
    return f"router of {namespace}"


class RouterReconciler:
    """Runs passes. It keeps nothing between them that the API server does not have as well."""

    def __init__(
        self,
        cluster: Cluster,
        written: Written,
        settings: RouterSettings | None,
        seen: Callable[[str], SeenRouter],
    ) -> None:
        self._cluster = cluster
        self._written = written
        self._settings = settings
        self._seen = seen

    async def reconcile(self, namespace: str) -> datetime | None:
        """One pass; the answer is None: only a change makes another one needed.

        Raises:
            ApiError: the API server refused something.
            NotOurs: an object that the router needs belongs to somebody else.
        """
        seen, owner = self._seen(namespace), owner_of(namespace)
        observed = self._written.current(owner, seen.objects)
        plan = plan_router(namespace, self._settings, seen.is_needed, observed)
        for manifest in plan.apply:
            if key_of(manifest) not in observed:
                await self._require_ours(namespace, key_of(manifest))
            self._written.remember(owner, await self._cluster.apply(manifest))
            logger.info("applied %s", key_of(manifest), extra={"object": namespace})
        for key in plan.delete:
            uid = uid_of(observed[key])
            await self._cluster.delete(namespace, key, uid)
            self._written.remember_deleted(owner, key, uid)
            logger.info("deleted %s", key, extra={"object": namespace})
        return None

    async def _require_ours(self, namespace: str, key: ObjectKey) -> None:
        found = await self._cluster.read(namespace, key)
        if found is not None and not is_router(found["metadata"].get("labels") or {}):
            raise NotOurs(
                f"{key} in {namespace} belongs to somebody else; rename or remove it, "
                "so that the router can have its name"
            )
