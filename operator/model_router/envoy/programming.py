"""The order in which one model's change reaches Envoy, so that no request is lost to it.

Endpoints and clusters, then their acknowledgement, then routes and listeners, then theirs; old
clusters go when the longest request that may still use them has ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

from model_router.envoy.ads import AdsServer, Refused
from model_router.resources.messages import Kind
from model_router.resources.model import ModelResources, no_resources

_log = logging.getLogger(__name__)
# Envoy answers within milliseconds. When it neither accepts nor rejects, a cluster failed while
# it was being made, which has no other sign.
_LONGEST_SILENCE = 5.0


class Programming:
    """One model's resources in Envoy; `apply` is not to be called twice at the same time."""

    def __init__(self, ads: AdsServer, model: str) -> None:
        self._ads = ads
        self._in_force = no_resources(model)
        self._retired: dict[str, float] = {}  # clusters, and when they may go

    @property
    def in_force(self) -> ModelResources:
        """What Envoy last accepted as a whole."""
        return self._in_force

    @property
    def next_retirement(self) -> float | None:
        """The loop's time at which `retire` has something to remove."""
        return min(self._retired.values(), default=None)

    async def apply(self, wanted: ModelResources) -> None:
        """Bring `wanted` into force; raises Refused, and then what was in force stays."""
        try:
            await self._program(wanted)
        except Refused:
            self._restore(wanted)
            raise
        gone = self._in_force.of(Kind.CLUSTER).keys() - wanted.of(Kind.CLUSTER).keys()
        longest = max(self._in_force.longest, wanted.longest).total_seconds()
        now = asyncio.get_running_loop().time()
        self._retired |= dict.fromkeys(gone, now + longest)
        for name in wanted.of(Kind.CLUSTER):
            self._retired.pop(name, None)
        self._in_force = wanted

    def retire(self) -> None:
        """Remove the clusters whose time has come."""
        now = asyncio.get_running_loop().time()
        due = [name for name, when in self._retired.items() if when <= now]
        if due:
            self._ads.publish(Kind.CLUSTER, [], due)
            self._ads.publish(Kind.ENDPOINTS, [], due)
        for name in due:
            del self._retired[name]

    async def _program(self, wanted: ModelResources) -> None:
        self._publish_changed(Kind.ENDPOINTS, wanted)
        clusters = self._publish_changed(Kind.CLUSTER, wanted)
        if clusters:
            # A changed cluster waits for its endpoints even if these are the same as before.
            again = [wanted.of(Kind.ENDPOINTS)[name] for name in clusters]
            self._ads.publish(Kind.ENDPOINTS, again)
            await self._accepted([self._ads.expect(Kind.CLUSTER, clusters)])
        routes = self._publish_changed(Kind.ROUTE, wanted)
        listeners = self._publish_changed(Kind.LISTENER, wanted)
        await self._accepted(
            [self._ads.expect(Kind.LISTENER, listeners), self._ads.expect(Kind.ROUTE, routes)]
        )
        # Their replacements answer by now.
        for kind in (Kind.LISTENER, Kind.ROUTE):
            gone = self._in_force.of(kind).keys() - wanted.of(kind).keys()
            if gone:
                self._ads.publish(kind, [], sorted(gone))

    def _publish_changed(self, kind: Kind, wanted: ModelResources) -> list[str]:
        served = self._ads.served(kind)
        changed = [
            resource
            for name, resource in wanted.of(kind).items()
            if name not in served or served[name].version != resource.version
        ]
        if changed:
            self._ads.publish(kind, changed)
        return [resource.name for resource in changed]

    async def _accepted(self, expectations: Iterable[asyncio.Future[None]]) -> None:
        pending = set(expectations)
        try:
            while pending:
                had_envoy = self._ads.connected
                done, pending = await asyncio.wait(
                    pending, timeout=_LONGEST_SILENCE, return_when=asyncio.FIRST_COMPLETED
                )
                for future in done:
                    future.result()
                # An Envoy that is just starting has not been silent yet.
                if not done and had_envoy and self._ads.connected:
                    raise Refused(f"Envoy did not answer in {_LONGEST_SILENCE:g} s")
        finally:
            for future in pending:
                future.cancel()

    def _restore(self, refused: ModelResources) -> None:
        """Publish again what was in force, and nothing of what was refused."""
        for kind in (Kind.LISTENER, Kind.ROUTE, Kind.CLUSTER, Kind.ENDPOINTS):
            good, bad, served = self._in_force.of(kind), refused.of(kind), self._ads.served(kind)
            back = [r for name, r in good.items() if served[name].version != r.version]
            new = [name for name in bad if name not in good and name not in self._retired]
            if back or new:
                self._ads.publish(kind, back, new)
