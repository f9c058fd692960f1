"""A manager that is stopped after the test, and a clock that does not wait."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from model_server.core.manager import Manager, ManagerOptions
from server.core.fakes import FakeClock, FakeServable

Managers = Callable[..., Manager[FakeServable]]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def managers(clock: FakeClock) -> Iterator[Managers]:
    """Makes a manager with these options."""
    made: list[Manager[FakeServable]] = []

    def make(options: ManagerOptions = ManagerOptions()) -> Manager[FakeServable]:  # noqa: B008 - it is frozen
        manager: Manager[FakeServable] = Manager(options, clock)
        made.append(manager)
        return manager

    yield make
    for manager in made:
        manager.stop(timedelta(0))
    for thread in threading.enumerate():
        if thread.name in ("load", "unload"):
            thread.join(180)


@pytest.fixture
def manager(managers: Managers) -> Manager[FakeServable]:
    return managers()
