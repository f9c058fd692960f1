"""The configuration service that one Envoy asks: delta ADS (xDS v3), over a UNIX socket.

Protocol: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol#incremental-xds
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from envoy.service.discovery.v3 import ads_pb2_grpc, discovery_pb2

from model_router.resources.clusters import empty_assignment
from model_router.resources.messages import Kind, Resource

_log = logging.getLogger(__name__)
# Kinds of which Envoy gets all there are; of the others, those whose names it asks for.
_WHOLE = (Kind.CLUSTER, Kind.LISTENER)


class Refused(Exception):
    """Envoy does not take a resource; what was there before stays in force."""


@dataclass(frozen=True)
class _Sent:
    kind: Kind
    versions: Mapping[str, str | None]  # None: removed


@dataclass
class _Stream:
    """One connection of Envoy: what it asked for, what it was sent, what it has."""

    outbox: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    known: dict[Kind, dict[str, str]] = field(default_factory=lambda: {k: {} for k in Kind})
    asked: dict[Kind, set[str]] = field(default_factory=dict)
    sent: dict[str, _Sent] = field(default_factory=dict)
    nonce: int = 0

    def send(self, kind: Kind, resources: Iterable[Resource], removed: Iterable[str]) -> None:
        """Queue one response; Envoy takes or refuses all of it together."""
        self.nonce += 1
        response = discovery_pb2.DeltaDiscoveryResponse(
            type_url=kind.value, nonce=str(self.nonce), removed_resources=removed
        )
        versions: dict[str, str | None] = dict.fromkeys(response.removed_resources)
        for resource in resources:
            response.resources.add(
                name=resource.name, version=resource.version, resource=resource.body
            )
            versions[resource.name] = resource.version
        self.sent[response.nonce] = _Sent(kind, versions)
        self.outbox.put_nowait(response)

    def wants(self, kind: Kind, name: str) -> bool:
        """Whether a change of this resource is to be sent now, without being asked again."""
        if kind in _WHOLE:
            return kind in self.asked
        return name in self.asked.get(kind, ())


@dataclass
class _Expectation:
    kind: Kind
    versions: Mapping[str, str | None]
    settled: asyncio.Future[None]


class AdsServer(ads_pb2_grpc.AggregatedDiscoveryServiceServicer):  # type: ignore[misc]  # untyped
    """Keeps what Envoy should have and sends what it lacks; remembers what it accepted."""

    def __init__(self) -> None:
        self._served: dict[Kind, dict[str, Resource]] = {kind: {} for kind in Kind}
        self._stream: _Stream | None = None
        self._expectations: list[_Expectation] = []

    @property
    def connected(self) -> bool:
        """Whether an Envoy is connected."""
        return self._stream is not None

    def served(self, kind: Kind) -> Mapping[str, Resource]:
        """What is published of one kind, by name."""
        return self._served[kind]

    def publish(
        self, kind: Kind, resources: Iterable[Resource], removed: Iterable[str] = ()
    ) -> None:
        """Serve `resources` from now on, and no longer those `removed`, in one response.

        A resource that is served already is sent again: a changed cluster waits for that.
        """
        changed, gone = list(resources), [n for n in removed if n in self._served[kind]]
        for resource in changed:
            self._served[kind][resource.name] = resource
        for name in gone:
            del self._served[kind][name]
        stream = self._stream
        if stream is None:
            return
        changed = [r for r in changed if stream.wants(kind, r.name)]
        gone = [name for name in gone if stream.wants(kind, name)]
        if changed or gone:
            stream.send(kind, changed, gone)

    def expect(self, kind: Kind, names: Iterable[str]) -> asyncio.Future[None]:
        """A future that ends when Envoy has accepted these names as served now.

        It raises Refused when Envoy rejects one of them. While no Envoy is connected it waits.
        """
        served = self._served[kind]
        versions = {name: served[name].version if name in served else None for name in names}
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._expectations.append(_Expectation(kind, versions, settled))
        self._settle()
        return settled

    async def DeltaAggregatedResources(  # named by the protocol
        self, requests: AsyncIterator[Any], context: Any
    ) -> None:
        """One connection of Envoy, until it ends."""
        stream = _Stream()
        # The newest connection counts: an Envoy that was killed may linger as an open stream.
        self._stream = stream
        try:
            async with asyncio.TaskGroup() as tasks:
                writer = tasks.create_task(self._write(stream, context))
                async for request in requests:
                    self._hear(stream, request)
                writer.cancel()
        finally:
            if self._stream is stream:
                self._stream = None

    async def _write(self, stream: _Stream, context: Any) -> None:
        while True:
            await context.write(await stream.outbox.get())

    def _hear(self, stream: _Stream, request: Any) -> None:
        try:
            kind = Kind(request.type_url)
        except ValueError:
            _log.warning("Envoy asks for %s, which is not served", request.type_url)
            return
        if request.response_nonce:
            self._hear_answer(stream, request)
        first = kind not in stream.asked
        names = stream.asked.setdefault(kind, set())
        names.difference_update(request.resource_names_unsubscribe)
        names.update(request.resource_names_subscribe)
        if kind in _WHOLE and first:
            stream.known[kind].update(request.initial_resource_versions)
            self._send_all(stream, kind)
        elif request.resource_names_subscribe and kind not in _WHOLE:
            stream.known[kind].update(request.initial_resource_versions)
            self._send_named(stream, kind, request.resource_names_subscribe)
        self._settle()

    def _hear_answer(self, stream: _Stream, request: Any) -> None:
        sent = stream.sent.pop(request.response_nonce, None)
        if sent is None:
            return
        if request.HasField("error_detail"):
            self._refuse(sent, request.error_detail.message)
            return
        for name, version in sent.versions.items():
            if version is None:
                stream.known[sent.kind].pop(name, None)
            else:
                stream.known[sent.kind][name] = version

    def _send_all(self, stream: _Stream, kind: Kind) -> None:
        served, known = self._served[kind], stream.known[kind]
        gone = [name for name in known if name not in served]
        lacking = [r for r in served.values() if known.get(r.name) != r.version]
        if gone or not lacking:
            # Also when there is nothing: Envoy waits for a first answer.
            stream.send(kind, [], gone)
        # A response for each model: what Envoy rejects, it rejects with all that came along.
        for _, of_model in groupby(sorted(lacking, key=_model), key=_model):
            stream.send(kind, of_model, [])

    def _send_named(self, stream: _Stream, kind: Kind, names: Iterable[str]) -> None:
        served = self._served[kind]
        found = [served[name] for name in names if name in served]
        if kind is Kind.ENDPOINTS:
            # A name without an answer would hold back every other cluster.
            found += [empty_assignment(name) for name in names if name not in served]
        for _, of_model in groupby(sorted(found, key=_model), key=_model):
            stream.send(kind, of_model, [])

    def _refuse(self, sent: _Sent, message: str) -> None:
        _log.error("Envoy rejects %s: %s", ", ".join(sent.versions), message)
        for expectation in self._expectations:
            shared = expectation.versions.items() & sent.versions.items()
            if expectation.kind is sent.kind and shared and not expectation.settled.done():
                expectation.settled.set_exception(Refused(message))

    def _settle(self) -> None:
        """Fulfil the expectations that Envoy's acknowledgements have met."""
        for expectation in self._expectations:
            if self._stream is None or expectation.settled.done():
                continue
            known = self._stream.known[expectation.kind]
            if all(known.get(name) == v for name, v in expectation.versions.items()):
                expectation.settled.set_result(None)
        self._expectations = [e for e in self._expectations if not e.settled.done()]


def _model(resource: Resource) -> str:
    return resource.name.partition("/")[0]
