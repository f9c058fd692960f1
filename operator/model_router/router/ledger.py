"""What has been counted for each model since its split came into force.

The contract is contracts/traffic-counts.schema.json; the router writes it, the operator reads it.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from model_router.envoy.admin import Admin, AdminError
from model_router.envoy.counts import Counts, counts_in, counts_path
from model_router.record.traffic import TrafficRecord

_log = logging.getLogger(__name__)
SCHEMA = 1


@dataclass(frozen=True)
class _Beginning:
    """Which Envoy held to a record first, and what it had counted then; None is not known."""

    record: TrafficRecord
    number: int
    envoy: int
    counted: Mapping[str, Counts] | None


class Ledger:
    """Remembers where counts of models begin; the operator may come later, or come anew."""

    def __init__(self, admin: Admin, envoys: Callable[[], int]) -> None:
        self._admin = admin
        # How many Envoys were started until now: each counts from 0.
        self._envoys = envoys
        self._begun: dict[str, _Beginning] = {}
        self._forgotten: set[str] = set()
        self._run, self._number = secrets.token_hex(4), 0
        self._lock = threading.Lock()

    def begin_blocking(self, record: TrafficRecord) -> None:
        """Count anew for a model, whose record has just come into force."""
        envoy, counted = self._envoys(), self._before_first(record.name)
        try:
            if counted is None:
                envoy, found = self._read(record.name)
                counted = found.get(record.name, {})
        except AdminError as error:
            _log.warning("%s: counts begin when they are asked for: %s", record.name, error)
        with self._lock:
            self._number += 1
            self._forgotten.discard(record.name)
            self._begun[record.name] = _Beginning(record, self._number, envoy, counted)

    def _before_first(self, model: str) -> Mapping[str, Counts] | None:
        """Nothing, for a model that no Envoy of this process knew; else it has to be read.

        A router that starts with many models would ask for each, and each answer takes longer.
        """
        with self._lock:
            return None if model in self._begun or model in self._forgotten else {}

    def forget(self, model: str) -> None:
        """The model is gone; its counters may stay for a while."""
        with self._lock:
            if self._begun.pop(model, None):
                self._forgotten.add(model)

    def document_blocking(self) -> bytes:
        """The counts of all models as JSON; raises AdminError when Envoy does not tell them."""
        envoy, counted = self._read()
        with self._lock:
            begun = sorted(self._begun.items())
        models = [self._model(found, envoy, counted.get(name, {})) for name, found in begun]
        return json.dumps({"schema": SCHEMA, "models": models}).encode()

    def _model(
        self, begun: _Beginning, envoy: int, counted: Mapping[str, Counts]
    ) -> dict[str, Any]:
        record, before = begun.record, begun.counted
        if before is None:
            before = counted
            self._begin_late(begun, replace(begun, envoy=envoy, counted=counted))
        elif begun.envoy != envoy:
            before = {}
        return {
            "name": record.name,
            "epoch": f"{self._run}-{begun.number}-{envoy}",
            "split": {share.revision: share.weight for share in record.split},
            "revisions": [
                _revision(name, counted.get(name, Counts()).since(before.get(name, Counts())))
                for name in record.revisions
            ],
        }

    def _begin_late(self, former: _Beginning, begun: _Beginning) -> None:
        with self._lock:
            if self._begun.get(begun.record.name) is former:
                self._begun[begun.record.name] = begun

    def _read(self, model: str | None = None) -> tuple[int, dict[str, dict[str, Counts]]]:
        """Which Envoy there is, and its counts by model and revision."""
        envoy = self._envoys()
        answer = self._admin.read_blocking(counts_path(model))
        found: dict[str, dict[str, Counts]] = {}
        for (name, revision), counts in counts_in(answer).items():
            found.setdefault(name, {})[revision] = counts
        if self._envoys() != envoy:
            raise AdminError("Envoy was started again meanwhile")
        return envoy, found


def _revision(name: str, counts: Counts) -> dict[str, Any]:
    return {
        "revision": name,
        "requests": counts.requests,
        "errors": counts.errors,
        "abandoned": counts.abandoned,
        "answeredWithin": [[bound, n] for bound, n in sorted(counts.answered_within.items())],
    }
