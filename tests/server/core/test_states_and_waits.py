"""What is reported of versions, when it is forgotten, and what ends a wait."""

import logging
import threading
from datetime import timedelta

import pytest

from model_server.core.errors import Code, NotAvailable, ServingError
from model_server.core.manager import Manager, ManagerOptions
from model_server.core.servable import ServableId, State, StateChange
from server.core.conftest import Managers
from server.core.fakes import FakeClock, FakeLoader, FakeServable
from server.core.replay import until

BROKEN = ServingError(Code.DATA_LOSS, "truncated")


def test_statuses_come_newest_version_first(manager: Manager[FakeServable]) -> None:
    manager.aspire("m", {123: FakeLoader(), 124: FakeLoader()})
    until(manager, State.AVAILABLE, 123, 124)

    assert [status.id.version for status in manager.statuses("m")] == [124, 123]
    assert [status.id.version for status in manager.statuses("m", 123)] == [123]
    assert manager.statuses("m", 125) == ()
    assert manager.statuses("other") == ()
    assert manager.names() == ("m",)


def test_an_unloaded_version_is_listed_for_an_hour(
    manager: Manager[FakeServable], clock: FakeClock
) -> None:
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {})
    until(manager, State.END, 1)

    clock.moment += timedelta(minutes=59)
    assert manager.statuses("m")[0].state is State.END
    clock.moment += timedelta(minutes=2)
    assert manager.statuses("m") == ()
    assert manager.names() == ()


def test_an_unloaded_version_is_listed_for_ever_if_so_configured(
    managers: Managers, clock: FakeClock
) -> None:
    manager = managers(ManagerOptions(forget_ended_after=None))
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {})
    until(manager, State.END, 1)

    clock.moment += timedelta(days=1000)
    assert manager.statuses("m")[0].state is State.END


def test_a_failed_version_is_listed_as_long_as_it_is_aspired(
    managers: Managers, clock: FakeClock
) -> None:
    manager = managers(ManagerOptions(max_load_retries=0))
    manager.aspire("m", {1: FakeLoader(failures=(BROKEN,))})
    until(manager, State.END, 1)

    clock.moment += timedelta(days=1)
    assert manager.statuses("m")[0].error == BROKEN
    manager.aspire("m", {})
    clock.moment += timedelta(days=1)
    assert manager.statuses("m") == ()


def test_a_version_loaded_again_is_not_forgotten_for_its_earlier_end(
    manager: Manager[FakeServable], clock: FakeClock
) -> None:
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {})
    until(manager, State.END, 1)
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)

    clock.moment += timedelta(days=1)
    assert manager.statuses("m")[0].state is State.AVAILABLE


def test_a_wait_for_a_name_ends_with_its_first_available_version(
    managers: Managers,
) -> None:
    manager = managers(ManagerOptions(max_load_retries=0))
    manager.aspire("m", {1: FakeLoader(), 2: FakeLoader(failures=(BROKEN,))})

    reached = manager.wait_until(["m"])

    assert reached.ok
    assert [status.id.version for status in reached.statuses] == [1]


def test_a_wait_for_names_ends_when_one_cannot_become_available(managers: Managers) -> None:
    manager = managers(ManagerOptions(max_load_retries=0))
    manager.aspire("good", {1: FakeLoader()})
    manager.aspire("bad", {1: FakeLoader(failures=(BROKEN,))})

    reached = manager.wait_until(["good", "bad"])

    assert not reached.ok
    assert [(status.id.name, status.state) for status in reached.statuses] == [
        ("good", State.AVAILABLE),
        ("bad", State.END),
    ]


def test_what_did_not_become_available_is_said_as_tensorflow_serving_says_it() -> None:
    error = NotAvailable.because([(ServableId("X", 1), BROKEN)], "model")

    assert error.code is Code.UNKNOWN
    assert error.message == (
        "1 model(s) did not become available: "
        "{{{name: X version: 1} due to error: DATA_LOSS: truncated}, }"
    )


def test_an_earlier_end_does_not_end_the_wait_for_a_model_that_comes_back(
    manager: Manager[FakeServable], clock: FakeClock
) -> None:
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {})
    until(manager, State.END, 1)

    reached = manager.wait_until(["m"], timeout=timedelta(seconds=1))

    assert clock.waits == [timedelta(seconds=1)]
    assert not reached.ok
    assert [status.state for status in reached.statuses] == [State.END]


def test_a_wait_for_the_end_of_a_name_needs_all_its_versions(
    manager: Manager[FakeServable],
) -> None:
    manager.aspire("m", {1: FakeLoader(), 2: FakeLoader()})
    until(manager, State.AVAILABLE, 1, 2)
    manager.aspire("m", {})

    reached = manager.wait_until(["m"], State.END)

    assert reached.ok
    assert len(reached.statuses) == 2


def test_available_is_reported_after_the_servable_can_be_had_and_unloading_before_it_cannot(
    manager: Manager[FakeServable],
) -> None:
    can_be_had: dict[State, bool] = {}

    def look(change: StateChange) -> None:
        can_be_had[change.status.state] = change.status.id in manager.available()

    manager.subscribe(look)
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {})
    until(manager, State.END, 1)

    assert can_be_had == {
        State.START: False,
        State.LOADING: False,
        State.AVAILABLE: True,
        State.UNLOADING: True,
        State.END: False,
    }


def test_a_subscriber_that_fails_or_leaves_disturbs_nobody(
    manager: Manager[FakeServable], caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[StateChange] = []

    def fail(change: StateChange) -> None:
        raise RuntimeError("no")

    manager.subscribe(fail)
    leave = manager.subscribe(seen.append)
    leave()
    leave()
    manager.aspire("m", {1: FakeLoader()})

    until(manager, State.AVAILABLE, 1)
    assert seen == []
    assert "A subscriber to states failed at {name: m version: 1}" in caplog.text


def test_the_life_of_a_version_can_be_read_in_the_log(
    managers: Managers, caplog: pytest.LogCaptureFixture
) -> None:
    manager = managers(ManagerOptions(max_load_retries=1))
    caplog.set_level(logging.INFO)
    manager.aspire("m", {1: FakeLoader(failures=(BROKEN,))})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {})
    until(manager, State.END, 1)

    assert [record.getMessage() for record in caplog.records] == [
        "Successfully reserved resources to load servable {name: m version: 1}",
        "Approving load for servable version {name: m version: 1}",
        "Loading servable version {name: m version: 1}",
        "Loading servable: {name: m version: 1} failed: DATA_LOSS: truncated",
        "Retrying of Loading servable: {name: m version: 1} retry: 1",
        "Successfully loaded servable version {name: m version: 1}",
        "Quiescing servable version {name: m version: 1}",
        "Done quiescing servable version {name: m version: 1}",
        "Unloading servable version {name: m version: 1}",
        "Done unloading servable version {name: m version: 1}",
    ]


def test_the_error_of_a_load_under_retry_can_be_asked_for(
    manager: Manager[FakeServable], clock: FakeClock
) -> None:
    seen: list[ServingError | None] = []
    clock.during_wait = lambda: seen.append(manager.last_error("m", 1))
    manager.aspire("m", {1: FakeLoader(failures=(OSError("disk"),))})
    until(manager, State.AVAILABLE, 1)

    assert [str(error) for error in seen] == ["UNAVAILABLE: disk"]


def test_all_models_load_at_the_same_time_when_there_are_threads_for_it(
    managers: Managers,
) -> None:
    manager = managers(ManagerOptions(load_threads=1))
    gate = threading.Event()
    loaders = {name: FakeLoader(gate=gate) for name in "abcd"}
    manager.set_load_threads(4)
    for name, loader in loaders.items():
        manager.aspire(name, {1: loader})

    assert all(loader.begun.wait(180) for loader in loaders.values())
    gate.set()
    assert manager.wait_until(loaders).ok
