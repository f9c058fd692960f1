"""One model's way from its record into Envoy, apart from every other model."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

from model_router.envoy.ads import AdsServer, Refused
from model_router.envoy.programming import Programming
from model_router.record.traffic import Share, TrafficRecord
from model_router.resources.listeners import Listening
from model_router.resources.model import model_resources, no_resources
from model_router.router.ledger import Ledger
from model_router.router.wanted import Choice, Endpoints, answerable, choose

_log = logging.getLogger(__name__)
# A port that another process held may be free by then.
_RETRY_REFUSED = 30.0
_RETRY_FAILED = 5.0


class Reason(Enum):
    """How far the newest record of a model has come."""

    PENDING = "Pending"
    PROGRAMMED = "Programmed"
    WAITING_FOR_PODS = "WaitingForPods"
    REFUSED = "Refused"
    INVALID = "InvalidRecord"
    REMOVED = "Removed"


@dataclass(frozen=True)
class ModelStatus:
    """Whether a model is routed at all, by which split, and what became of its newest record."""

    name: str
    routed: bool
    reason: Reason
    message: str
    split: tuple[Share, ...] = ()


class ModelDriver:
    """Programs one model whenever its record or its endpoints change."""

    def __init__(self, ads: AdsServer, name: str, listening: Listening, ledger: Ledger) -> None:
        self._programming = Programming(ads, name)
        self._name = name
        self._listening = listening
        self._ledger = ledger
        self._newest: TrafficRecord | None = None
        self._endpoints: Endpoints = {}
        self._in_force: TrafficRecord | None = None
        self._refused: TrafficRecord | None = None
        self._retry_at = 0.0
        self._changed = asyncio.Event()
        self._verdict = (Reason.PENDING, "the record is on its way to Envoy")
        self._unfit = ""

    @property
    def in_force(self) -> TrafficRecord | None:
        """The record that Envoy serves, or none."""
        return self._in_force

    @property
    def status(self) -> ModelStatus:
        """How far the newest record has come."""
        reason, message = (Reason.INVALID, self._unfit) if self._unfit else self._verdict
        split = self._in_force.split if self._in_force else ()
        return ModelStatus(self._name, self._in_force is not None, reason, message, split)

    def want(self, record: TrafficRecord | None, endpoints: Endpoints) -> None:
        """Say what should be served from now on; None ends the model."""
        self._unfit = ""
        self._want(record, endpoints)

    def reject(self, message: str, endpoints: Endpoints) -> None:
        """Say that the newest record cannot even be tried; what is in force stays."""
        if message != self._unfit:
            _log.error("%s: the record is not used: %s", self._name, message)
        self._unfit = message
        if self._in_force is not None:
            self._want(self._in_force, endpoints)

    async def run(self) -> None:
        """Follow `want` until the model is gone and its last cluster with it."""
        while True:
            self._changed.clear()
            try:
                await self._follow()
            except Exception:
                # Whatever is wrong with this model, the others go on.
                _log.exception("%s: not programmed; trying again", self._name)
                await asyncio.sleep(_RETRY_FAILED)
                continue
            self._programming.retire()
            if self._newest is None and self._programming.next_retirement is None:
                return
            # Not wait_for: it loses a cancellation that comes together with a change.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_due()):
                    await self._changed.wait()

    def _want(self, record: TrafficRecord | None, endpoints: Endpoints) -> None:
        records = [r for r in (record, self._in_force) if r is not None]
        mine = {name: endpoints.get(name, ()) for r in records for name in r.revisions}
        if record == self._newest and mine == self._endpoints:
            return
        self._newest, self._endpoints = record, mine
        self._changed.set()

    def _until_due(self) -> float | None:
        """Seconds until something is to be done even if nothing changes."""
        due = [self._retry_at] if self._refused is not None else []
        if self._programming.next_retirement is not None:
            due.append(self._programming.next_retirement)
        return max(0.0, min(due) - asyncio.get_running_loop().time()) if due else None

    async def _follow(self) -> None:
        newest = self._newest
        if newest is None:
            await self._programming.apply(no_resources(self._name))
            self._in_force = self._refused = None
            self._ledger.forget(self._name)
            self._conclude(Reason.REMOVED, "there is no record; requests that were begun may end")
            return
        now = asyncio.get_running_loop().time()
        if newest != self._refused or now >= self._retry_at:
            await self._try(choose(newest, self._in_force, self._endpoints), newest)
        if self._refused is not None and self._in_force is not None:
            # The record that stays still has to follow its pods.
            with suppress(Refused):
                await self._program(self._in_force)

    async def _try(self, choice: Choice, newest: TrafficRecord) -> None:
        self._refused = None
        try:
            await self._program(choice.record)
        except Refused as error:
            self._refused = newest
            self._retry_at = asyncio.get_running_loop().time() + _RETRY_REFUSED
            self._conclude(Reason.REFUSED, str(error))
            return
        if choice.held:
            self._conclude(Reason.WAITING_FOR_PODS, choice.held)
        else:
            split = ", ".join(f"{s.weight} % {s.revision}" for s in newest.split)
            self._conclude(Reason.PROGRAMMED, split)

    async def _program(self, record: TrafficRecord) -> None:
        possible = answerable(record, self._endpoints)
        resources = model_resources(possible, self._endpoints, self._listening)
        await self._programming.apply(resources)
        former, self._in_force = self._in_force, record
        if former is None or former.split != record.split or former.revisions != record.revisions:
            await asyncio.to_thread(self._ledger.begin_blocking, record)

    def _conclude(self, reason: Reason, message: str) -> None:
        if (reason, message) != self._verdict:
            fine = reason in (Reason.PROGRAMMED, Reason.REMOVED)
            level = logging.INFO if fine else logging.ERROR
            _log.log(level, "%s: %s: %s", self._name, reason.value, message)
        self._verdict = (reason, message)
