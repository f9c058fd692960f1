"""The records and pods of one namespace, brought from Kubernetes into what the router keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from kubernetes.aio.client import ApiClient

from model_router.cluster.reflector import Object, Objects, Reflector
from model_router.record.documents import InvalidDocument
from model_router.record.objects import (
    RECORD_SELECTOR,
    REVISION_LABEL,
    endpoints_text,
    model_of,
    record_text,
    revision_of,
)
from model_router.state.kept import ENDPOINTS, RECORDS, KeptState

Changed = Callable[[], None]


class Records:
    """The sink of ConfigMaps."""

    def __init__(self, state: KeptState, changed: Changed) -> None:
        self._state = state
        self._changed = changed
        self.synced = False

    def replace(self, objects: Sequence[Object]) -> None:
        """Take all ConfigMaps there are."""
        names = {name for name in map(self._put, objects) if name is not None}
        self._state.keep_only(RECORDS, names)
        self.synced = True
        self._changed()

    def put(self, found: Object) -> None:
        """Take one ConfigMap."""
        self._put(found)
        self._changed()

    def remove(self, gone: Object) -> None:
        """End the model of a ConfigMap that was deleted."""
        try:
            self._state.remove(RECORDS, model_of(gone))
        except InvalidDocument:
            self._state.remove(RECORDS, gone["metadata"]["name"])
        self._changed()

    def _put(self, found: Object) -> str:
        name = str(found["metadata"]["name"])
        try:
            name = model_of(found)
            self._state.put_record(name, record_text(found))
        except InvalidDocument as error:
            self._state.reject(RECORDS, name, str(error))
        return name


class Slices:
    """The sink of EndpointSlices; those of one revision belong together."""

    def __init__(self, state: KeptState, changed: Changed) -> None:
        self._state = state
        self._changed = changed
        self._slices: dict[str, Object] = {}
        self.synced = False

    def replace(self, objects: Sequence[Object]) -> None:
        """Take all EndpointSlices there are."""
        self._slices = {found["metadata"]["name"]: found for found in objects}
        revisions = {revision_of(found) for found in objects} - {None}
        for revision in revisions:
            self._put(revision)
        self._state.keep_only(ENDPOINTS, {r for r in revisions if r is not None})
        self.synced = True
        self._changed()

    def put(self, found: Object) -> None:
        """Take one EndpointSlice."""
        before = self._slices.get(found["metadata"]["name"])
        self._slices[found["metadata"]["name"]] = found
        if before is not None and revision_of(before) != revision_of(found):
            self._put(revision_of(before))
        self._put(revision_of(found))
        self._changed()

    def remove(self, gone: Object) -> None:
        """Do without an EndpointSlice that was deleted."""
        self._slices.pop(gone["metadata"]["name"], None)
        self._put(revision_of(gone))
        self._changed()

    def _put(self, revision: str | None) -> None:
        if revision is None:
            return
        slices = [found for found in self._slices.values() if revision_of(found) == revision]
        if not slices:
            self._state.remove(ENDPOINTS, revision)
            return
        try:
            self._state.put_endpoints(revision, endpoints_text(revision, slices))
        except InvalidDocument as error:
            self._state.reject(ENDPOINTS, revision, str(error))


class Follower:
    """Both kinds together."""

    def __init__(self, api: ApiClient, namespace: str, state: KeptState, changed: Changed) -> None:
        core = f"/api/v1/namespaces/{namespace}/configmaps"
        discovery = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
        self._records = Records(state, changed)
        self._slices = Slices(state, changed)
        self._reflectors = (
            Reflector(api, Objects(core, RECORD_SELECTOR), self._records),
            Reflector(api, Objects(discovery, REVISION_LABEL), self._slices),
        )

    @property
    def synced(self) -> bool:
        """Whether everything there is has been seen once."""
        return self._records.synced and self._slices.synced

    async def run(self) -> None:
        """Follow for ever."""
        async with asyncio.TaskGroup() as tasks:
            for reflector in self._reflectors:
                tasks.create_task(reflector.run())
