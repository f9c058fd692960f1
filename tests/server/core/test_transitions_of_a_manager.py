"""Whole histories: what a manager does, in order, when versions come, go and fail."""

import threading
from datetime import timedelta

from model_server.core.errors import Code, ServingError
from model_server.core.manager import Manager, ManagerOptions
from model_server.core.servable import State
from model_server.core.transition_policy import ResourcePreserving
from server.core.conftest import Managers
from server.core.fakes import FakeClock, FakeLoader, FakeServable
from server.core.replay import events, until

BROKEN = ServingError(Code.DATA_LOSS, "truncated")
ONCE = ManagerOptions(max_load_retries=0)


def test_a_version_starts_loads_and_is_available(manager: Manager[FakeServable]) -> None:
    manager.aspire("m", {1: FakeLoader("one")})
    until(manager, State.AVAILABLE, 1)

    assert events(manager) == ["1 START", "1 LOADING", "1 AVAILABLE"]
    with manager.handle("m") as handle:
        assert (handle.id.version, handle.servable.content) == (1, "one")


def test_a_new_version_is_available_before_the_old_one_is_unloaded(
    manager: Manager[FakeServable],
) -> None:
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {2: FakeLoader()})
    until(manager, State.END, 1)

    assert events(manager)[3:] == [
        "2 START",
        "2 LOADING",
        "2 AVAILABLE",
        "1 UNLOADING",
        "1 END",
    ]


def test_to_preserve_resources_the_old_version_is_unloaded_first(managers: Managers) -> None:
    manager = managers(ManagerOptions(transition_policy=ResourcePreserving()))
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {2: FakeLoader()})
    until(manager, State.AVAILABLE, 2)

    assert events(manager)[3:] == [
        "2 START",
        "1 UNLOADING",
        "1 END",
        "2 LOADING",
        "2 AVAILABLE",
    ]


def test_a_failed_version_leaves_the_old_one_serving(managers: Managers) -> None:
    manager = managers(ONCE)
    manager.aspire("m", {1: FakeLoader("one")})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {7: FakeLoader(failures=(BROKEN,))})
    until(manager, State.END, 7)

    assert manager.handle("m").servable.content == "one"
    assert [(status.id.version, status.state) for status in manager.statuses("m")] == [
        (7, State.END),
        (1, State.AVAILABLE),
    ]
    assert manager.statuses("m", 7)[0].error == BROKEN


def test_a_good_version_after_a_failed_one_replaces_the_old_one(managers: Managers) -> None:
    manager = managers(ONCE)
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {7: FakeLoader(failures=(BROKEN,))})
    until(manager, State.END, 7)
    manager.aspire("m", {8: FakeLoader()})
    until(manager, State.END, 1)

    assert [id.version for id in manager.available()] == [8]


def test_going_back_to_a_lower_version_works(manager: Manager[FakeServable]) -> None:
    manager.aspire("m", {9: FakeLoader()})
    until(manager, State.AVAILABLE, 9)
    manager.aspire("m", {3: FakeLoader()})
    until(manager, State.END, 9)

    assert manager.handle("m").id.version == 3


def test_going_back_after_a_failure_keeps_the_copy_that_serves(managers: Managers) -> None:
    manager = managers(ONCE)
    again = FakeLoader("again")
    manager.aspire("m", {1: FakeLoader("first")})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {2: FakeLoader(failures=(BROKEN,))})
    until(manager, State.END, 2)
    manager.aspire("m", {1: again})

    assert manager.handle("m").servable.content == "first"
    assert again.loads == 0


def test_a_copy_kept_because_nothing_else_served_is_aspired_like_any_other(
    managers: Managers,
) -> None:
    manager = managers(ONCE)
    first = FakeLoader()
    manager.aspire("m", {1: first})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {2: FakeLoader(failures=(BROKEN,))})
    until(manager, State.END, 2)
    manager.aspire("m", {1: FakeLoader()})
    manager.aspire("m", {1: FakeLoader(), 3: FakeLoader()})
    until(manager, State.AVAILABLE, 3)

    assert [id.version for id in manager.available()] == [1, 3]
    assert first.unloads == 0


def test_a_load_that_hangs_holds_up_no_unload(manager: Manager[FakeServable]) -> None:
    gate = threading.Event()
    hanging = FakeLoader(gate=gate)
    manager.aspire("m", {1: FakeLoader()})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("hanging", {1: hanging})
    assert hanging.begun.wait(180)
    manager.aspire("m", {})

    until(manager, State.END, 1)
    assert manager.statuses("hanging")[0].state is State.LOADING
    gate.set()


def test_a_version_wanted_again_during_its_unload_is_loaded_afresh(
    manager: Manager[FakeServable],
) -> None:
    manager.aspire("m", {1: FakeLoader("old")})
    until(manager, State.AVAILABLE, 1)
    with manager.handle("m"):
        manager.aspire("m", {})
        manager.aspire("m", {1: FakeLoader("fresh")})
        assert manager.available() == ()
    until(manager, State.AVAILABLE, 1)

    assert manager.handle("m").servable.content == "fresh"


def test_a_version_wanted_again_during_its_load_is_never_seen_in_its_old_form(
    manager: Manager[FakeServable],
) -> None:
    gate = threading.Event()
    old = FakeLoader("old", gate=gate)
    manager.aspire("m", {1: old})
    assert old.begun.wait(180)
    manager.aspire("m", {})
    manager.aspire("m", {1: FakeLoader("fresh")})
    gate.set()
    until(manager, State.AVAILABLE, 1)

    assert events(manager) == [
        "1 START",
        "1 LOADING",
        "1 UNLOADING",
        "1 END",
        "1 START",
        "1 LOADING",
        "1 AVAILABLE",
    ]
    assert manager.handle("m").servable.content == "fresh"
    assert old.unloads == 1


def test_a_version_aspired_at_every_poll_is_loaded_once(manager: Manager[FakeServable]) -> None:
    first, second = FakeLoader(), FakeLoader()
    manager.aspire("m", {1: first})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {1: second})

    assert (first.loads, second.loads) == (1, 0)


def test_a_failed_version_is_left_alone_while_it_stays_aspired(managers: Managers) -> None:
    manager = managers(ONCE)
    again = FakeLoader()
    manager.aspire("m", {1: FakeLoader(failures=(BROKEN,))})
    until(manager, State.END, 1)
    manager.aspire("m", {1: again})

    assert again.loads == 0


def test_a_failed_version_is_loaded_anew_if_so_configured(managers: Managers) -> None:
    manager = managers(ManagerOptions(max_load_retries=0, reload_failed=True))
    manager.aspire("m", {1: FakeLoader(failures=(BROKEN,))})
    until(manager, State.END, 1)
    manager.aspire("m", {1: FakeLoader()})

    until(manager, State.AVAILABLE, 1)


def test_the_highest_of_several_new_versions_is_loaded_first(
    manager: Manager[FakeServable],
) -> None:
    manager.aspire("m", {1: FakeLoader(), 3: FakeLoader(), 2: FakeLoader()})
    until(manager, State.AVAILABLE, 1, 2, 3)

    loaded = [event for event in events(manager) if event.endswith("LOADING")]
    assert loaded == ["3 LOADING", "2 LOADING", "1 LOADING"]


def test_a_load_that_waits_for_its_turn_is_cancelled_when_nobody_wants_it(
    manager: Manager[FakeServable],
) -> None:
    gate = threading.Event()
    waiting = FakeLoader()
    manager.aspire("first", {1: FakeLoader(gate=gate)})
    manager.aspire("m", {1: waiting})
    manager.aspire("m", {})
    gate.set()
    until(manager, State.END, 1)

    assert waiting.loads == 0
    assert str(manager.statuses("m")[0].error) == (
        "CANCELLED: Load of servable cancelled: {name: m version: 1}"
    )


def test_a_load_is_retried_after_a_minute_until_it_works(
    manager: Manager[FakeServable], clock: FakeClock
) -> None:
    manager.aspire("m", {1: FakeLoader(failures=(BROKEN, BROKEN))})
    until(manager, State.AVAILABLE, 1)

    assert clock.waits == [timedelta(seconds=60)] * 2
    assert manager.last_error("m", 1) is None


def test_a_load_that_always_fails_is_tried_six_times_and_ends_with_its_error(
    manager: Manager[FakeServable],
) -> None:
    loader = FakeLoader(failures=(BROKEN,) * 100)
    manager.aspire("m", {1: loader})
    until(manager, State.END, 1)

    assert loader.loads == 6
    assert events(manager) == ["1 START", "1 LOADING", "1 END"]
    assert manager.last_error("m", 1) == BROKEN


def test_an_error_not_worth_it_is_not_retried(managers: Managers, clock: FakeClock) -> None:
    manager = managers(ManagerOptions(should_retry=lambda error: error.code is not Code.DATA_LOSS))
    manager.aspire("m", {1: FakeLoader(failures=(BROKEN,))})
    until(manager, State.END, 1)

    assert clock.waits == []


def test_retries_end_when_the_version_is_no_longer_aspired(
    manager: Manager[FakeServable], clock: FakeClock
) -> None:
    loader = FakeLoader(failures=(BROKEN,) * 100)
    clock.during_wait = lambda: manager.aspire("m", {})
    manager.aspire("m", {1: loader})
    until(manager, State.END, 1)

    assert loader.loads == 1
    assert manager.statuses("m")[0].error == BROKEN


def test_a_loader_that_exits_fails_its_load_and_nothing_else(managers: Managers) -> None:
    manager = managers(ONCE)
    manager.aspire("m", {1: FakeLoader(failures=(SystemExit("bye"),))})
    until(manager, State.END, 1)
    manager.aspire("n", {1: FakeLoader()})

    until(manager, State.AVAILABLE, 1, name="n")
    assert str(manager.statuses("m")[0].error) == "UNKNOWN: bye"
