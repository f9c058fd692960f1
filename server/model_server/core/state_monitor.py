"""Remembers the state of every version, how it came about, and whether a wait for one is over."""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from model_server.core.servable import ServableId, ServableStatus, State, StateChange

_log = logging.getLogger(__name__)

Receive = Callable[[StateChange], None]

# Enough to see what happened lately; more belongs in the log.
_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Reached:
    """How a wait ended: `ok` if all reached the state; `statuses` is what each was seen as."""

    ok: bool
    statuses: tuple[ServableStatus, ...]


class StateMonitor:
    """What is known of versions. It has no lock: its owner, the manager, holds one."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, StateChange]] = {}
        self._history: deque[StateChange] = deque(maxlen=_REMEMBERED)
        self._gone: deque[tuple[datetime, StateChange]] = deque()
        self._receivers: list[Receive] = []

    def publish(self, change: StateChange) -> None:
        """Remember `change` and tell it to the subscribers, whose failures are only logged."""
        id = change.status.id
        self._versions.setdefault(id.name, {})[id.version] = change
        self._history.append(change)
        for receive in tuple(self._receivers):
            try:
                receive(change)
            except Exception:
                _log.exception("A subscriber to states failed at %s", id)

    def subscribe(self, receive: Receive) -> None:
        self._receivers.append(receive)

    def unsubscribe(self, receive: Receive) -> None:
        if receive in self._receivers:
            self._receivers.remove(receive)

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._versions))

    def statuses(self, name: str) -> tuple[ServableStatus, ...]:
        """All versions of `name`, newest version first."""
        versions = self._versions.get(name, {})
        return tuple(versions[version].status for version in sorted(versions, reverse=True))

    def status(self, id: ServableId) -> ServableStatus | None:
        change = self._versions.get(id.name, {}).get(id.version)
        return None if change is None else change.status

    def history(self) -> tuple[StateChange, ...]:
        return tuple(self._history)

    def mark_gone(self, id: ServableId, now: datetime) -> None:
        """Nobody works on this version any more: it may be forgotten some time after `now`."""
        change = self._versions.get(id.name, {}).get(id.version)
        if change is not None:
            self._gone.append((now, change))

    def forget_gone(self, before: datetime) -> None:
        """Forget the versions that were marked as gone before this moment and have stayed so."""
        while self._gone and self._gone[0][0] < before:
            _, change = self._gone.popleft()
            id = change.status.id
            versions = self._versions.get(id.name, {})
            if versions.get(id.version) is change:
                del versions[id.version]
                if not versions:
                    del self._versions[id.name]

    def reached(
        self,
        wanted: Iterable[str | ServableId],
        goal: State,
        managed: Callable[[str], Collection[int]],
    ) -> Reached | None:
        """How the wait for all of `wanted` ended, or None while it has not.

        `managed` are the versions of a name that are worked on: states of others are of the past
        and say nothing about what will become of the name.
        """
        outcomes = [
            self._version(entry, goal)
            if isinstance(entry, ServableId)
            else self._any(entry, goal, managed(entry))
            for entry in wanted
        ]
        settled = [outcome for outcome in outcomes if outcome is not None]
        if len(settled) < len(outcomes):
            return None
        return Reached(
            all(outcome.ok for outcome in settled),
            tuple(status for outcome in settled for status in outcome.statuses),
        )

    def _version(self, id: ServableId, goal: State) -> Reached | None:
        status = self.status(id)
        if status is None or status.state not in (goal, State.END):
            return None
        return Reached(status.state is goal, (status,))

    def _any(self, name: str, goal: State, managed: Collection[int]) -> Reached | None:
        known = self.statuses(name)
        if goal is State.END:
            ended = bool(known) and all(status.state is State.END for status in known)
            return Reached(True, known) if ended else None
        known = tuple(status for status in known if status.id.version in managed)
        for status in known:
            if status.state is goal:
                return Reached(True, (status,))
        if known and all(status.state is State.END for status in known):
            return Reached(False, known)
        return None
