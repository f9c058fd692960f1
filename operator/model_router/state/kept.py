"""Records and endpoints in memory, each also kept on disk for the next start.

Memory is what counts: a full disk must not stop traffic from following its records.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

from model_router.record.documents import InvalidDocument
from model_router.record.endpoints import Endpoint, parse_endpoints
from model_router.record.traffic import TrafficRecord, parse_record
from model_router.state.folder import Snapshot, StateFolder

_log = logging.getLogger(__name__)
RECORDS = "records"
ENDPOINTS = "endpoints"


class KeptState:
    """The last good record of every model and the last known pods of every revision."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in (RECORDS, ENDPOINTS):
            (folder / name).mkdir(exist_ok=True)
        last = StateFolder(folder).read()
        self._records: dict[str, TrafficRecord] = dict(last.records)
        self._endpoints: dict[str, tuple[Endpoint, ...]] = dict(last.endpoints)
        # Only what somebody can still put right; a broken copy on disk is written anew.
        self._problems: dict[str, str] = {}

    def snapshot(self) -> Snapshot:
        """All of it at this moment."""
        return Snapshot(dict(self._records), dict(self._endpoints), dict(self._problems))

    def put_record(self, model: str, text: bytes) -> None:
        """Take the record, or say what is wrong with it and keep the last good one."""
        try:
            record = parse_record(text)
            if record.name != model:
                raise InvalidDocument(f"name: is {record.name!r}, the ConfigMap's {model!r}")
        except InvalidDocument as error:
            self.reject(RECORDS, model, str(error))
            return
        self._problems.pop(_file(RECORDS, model), None)
        if self._records.get(model) != record:
            self._records[model] = record
            self._save(RECORDS, model, text)

    def put_endpoints(self, revision: str, text: bytes) -> None:
        """Take the pods of a revision; raises InvalidDocument."""
        pods = parse_endpoints(text).endpoints
        self._problems.pop(_file(ENDPOINTS, revision), None)
        if self._endpoints.get(revision) != pods:
            self._endpoints[revision] = pods
            self._save(ENDPOINTS, revision, text)

    def reject(self, kind: str, name: str, problem: str) -> None:
        """Say that what came under this name is not used; what was there before stays."""
        self._problems[_file(kind, name)] = problem

    def remove(self, kind: str, name: str) -> None:
        """Forget what is kept under this name."""
        self._problems.pop(_file(kind, name), None)
        held: dict[str, TrafficRecord] | dict[str, tuple[Endpoint, ...]] = (
            self._records if kind == RECORDS else self._endpoints
        )
        held.pop(name, None)
        try:
            (self._folder / _file(kind, name)).unlink(missing_ok=True)
        except OSError as error:
            _log.error("%s cannot be removed: %s", _file(kind, name), error)

    def keep_only(self, kind: str, names: Collection[str]) -> None:
        """Forget everything of this kind but `names`."""
        held = self._records.keys() if kind == RECORDS else self._endpoints.keys()
        prefix = f"{kind}/"
        told = {f.removeprefix(prefix).removesuffix(".json") for f in self._problems if prefix in f}
        on_disk = {path.stem for path in (self._folder / kind).glob("*.json")}
        for name in (held | told | on_disk) - set(names):
            self.remove(kind, name)

    def _save(self, kind: str, name: str, text: bytes) -> None:
        path = self._folder / _file(kind, name)
        unfinished = path.with_suffix(".tmp")
        try:
            unfinished.write_bytes(text)
            os.replace(unfinished, path)
        except OSError as error:
            _log.error("%s is used, but not kept for the next start: %s", path, error)


def _file(kind: str, name: str) -> str:
    return f"{kind}/{name}.json"
