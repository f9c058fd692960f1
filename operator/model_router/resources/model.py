"""All resources of one model together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from model_router.record.endpoints import Endpoint
from model_router.record.traffic import TrafficRecord
from model_router.resources.clusters import Bounds, assignment, cluster, shadow_bounds
from model_router.resources.listeners import Listening, listener
from model_router.resources.messages import Kind, Protocol, Resource, cluster_name
from model_router.resources.routes import route


@dataclass(frozen=True)
class ModelResources:
    """Everything Envoy has for one model, by kind and name; `longest` bounds one request."""

    model: str
    by_kind: Mapping[Kind, Mapping[str, Resource]]
    longest: timedelta

    def of(self, kind: Kind) -> Mapping[str, Resource]:
        """The resources of one kind, by name."""
        return self.by_kind[kind]


def no_resources(model: str) -> ModelResources:
    """What Envoy has for a model before its first record and after its last."""
    return ModelResources(model, {kind: {} for kind in Kind}, timedelta())


def model_resources(
    record: TrafficRecord,
    endpoints: Mapping[str, tuple[Endpoint, ...]],
    listening: Listening,
) -> ModelResources:
    """The resources for `record`; a revision that `endpoints` does not name has no pods."""
    clusters = [
        (revision, cluster_name(record.name, revision, protocol), protocol)
        for revision in record.revisions
        for protocol in Protocol
    ]
    by_kind = {
        Kind.CLUSTER: _by_name(
            cluster(name, protocol, _bounds(record, revision))
            for revision, name, protocol in clusters
        ),
        Kind.ENDPOINTS: _by_name(
            assignment(name, endpoints.get(revision, ()), protocol)
            for revision, name, protocol in clusters
        ),
        Kind.ROUTE: _by_name(route(record, protocol) for protocol in Protocol),
        Kind.LISTENER: _by_name(listener(record, protocol, listening) for protocol in Protocol),
    }
    return ModelResources(record.name, by_kind, record.timeout)


def _bounds(record: TrafficRecord, revision: str) -> Bounds:
    if record.shadow is not None and record.shadow.revision == revision:
        return shadow_bounds(record.timeout)
    return Bounds(record.most_requests)


def _by_name(resources: Iterable[Resource]) -> dict[str, Resource]:
    return {resource.name: resource for resource in resources}
