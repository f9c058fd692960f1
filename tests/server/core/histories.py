"""Plays a history of aspirations against a manager, watching what it gives up."""

import threading
from dataclasses import dataclass
from datetime import timedelta

from model_server.core.errors import Code, ServingError
from model_server.core.manager import Manager, ManagerOptions
from model_server.core.servable import State, StateChange
from model_server.core.transition_policy import TransitionPolicy
from server.core.fakes import FakeLoader, FakeServable

BROKEN = ServingError(Code.DATA_LOSS, "broken")
SOON = timedelta(seconds=10)

States = dict[int, State]


@dataclass(frozen=True)
class Step:
    """Aspire to these versions; `calmly` waits until they have settled before the next step."""

    aspired: frozenset[int]
    calmly: bool


@dataclass(frozen=True)
class Outcome:
    """The versions available in the end, and those unloaded although nothing else served."""

    available: frozenset[int]
    given_up: tuple[int, ...]


def play(policy: TransitionPolicy, steps: list[Step], broken: frozenset[int]) -> Outcome:
    """Do the steps, wait until nothing more happens, and stop."""
    manager: Manager[FakeServable] = Manager(
        ManagerOptions(load_threads=2, max_load_retries=0, transition_policy=policy)
    )
    wants_some = False
    given_up: list[int] = []

    def watch(change: StateChange) -> None:
        version = change.status.id.version
        available = {id.version for id in manager.available()}
        if change.status.state is State.UNLOADING and wants_some and available == {version}:
            given_up.append(version)

    leave = manager.subscribe(watch)
    for step in steps:
        # While one step gives way to the next, only what both want is sure to be wanted.
        wants_some = wants_some and bool(step.aspired)
        manager.aspire("m", _loaders(step.aspired, broken))
        wants_some = bool(step.aspired)
        if step.calmly or step is steps[-1]:
            _wait_until_settled(manager, step.aspired, broken)
    available = frozenset(id.version for id in manager.available())
    leave()
    assert manager.stop(SOON)
    return Outcome(available, tuple(given_up))


def _loaders(versions: frozenset[int], broken: frozenset[int]) -> dict[int, FakeLoader]:
    return {
        version: FakeLoader(failures=(BROKEN,) if version in broken else ()) for version in versions
    }


def _has_settled(states: States, aspired: frozenset[int], broken: frozenset[int]) -> bool:
    """Whether what should load has loaded or failed, and what it replaces has gone."""
    good = aspired - broken
    replaced = states.keys() - good if good or not aspired else aspired
    return all(states.get(version) is State.AVAILABLE for version in good) and all(
        states.get(version) is State.END for version in replaced
    )


def _wait_until_settled(
    manager: Manager[FakeServable], aspired: frozenset[int], broken: frozenset[int]
) -> None:
    changed = threading.Event()
    leave = manager.subscribe(lambda change: changed.set())
    while not _has_settled(_states(manager), aspired, broken):
        assert changed.wait(180), manager.statuses("m")
        changed.clear()
    leave()


def _states(manager: Manager[FakeServable]) -> States:
    return {status.id.version: status.state for status in manager.statuses("m")}
