"""The memory limit: what fits is loaded, what may soon fit waits, what cannot is refused."""

import threading

from model_server.core.errors import Code, ServingError
from model_server.core.loader import Resources
from model_server.core.manager import ManagerOptions
from model_server.core.servable import State
from model_server.core.transition_policy import ResourcePreserving
from server.core.conftest import Managers
from server.core.fakes import FakeLoader
from server.core.replay import until

TEN = ManagerOptions(memory_limit=10, load_threads=4)


def taking(ram: int, transient: int = 0, gate: threading.Event | None = None) -> FakeLoader:
    return FakeLoader(resources=Resources(ram, transient), gate=gate)


def test_a_servable_that_does_not_fit_is_refused(managers: Managers) -> None:
    manager = managers(TEN)
    manager.aspire("m", {1: taking(6)})
    until(manager, State.AVAILABLE, 1)
    loader = taking(5)
    manager.aspire("n", {1: loader})
    until(manager, State.END, 1, name="n")

    error = manager.statuses("n")[0].error
    assert str(error) == (
        "RESOURCE_EXHAUSTED: Insufficient resources to load servable {name: n version: 1}"
    )
    assert loader.loads == 0


def test_a_servable_that_just_fits_is_loaded(managers: Managers) -> None:
    manager = managers(TEN)
    manager.aspire("m", {1: taking(6)})
    manager.aspire("n", {1: taking(4)})

    assert manager.wait_until(["m", "n"]).ok


def test_memory_needed_only_while_loading_counts_then_and_no_longer(managers: Managers) -> None:
    manager = managers(TEN)
    manager.aspire("m", {1: taking(3, transient=7)})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("n", {1: taking(7)})

    until(manager, State.AVAILABLE, 1, name="n")


def test_a_load_waits_for_one_under_way_that_may_free_memory(managers: Managers) -> None:
    manager = managers(TEN)
    gate = threading.Event()
    first, second = taking(3, transient=7, gate=gate), taking(7)
    manager.aspire("m", {1: first})
    assert first.begun.wait(180)
    manager.aspire("n", {1: second})

    assert manager.statuses("n")[0].state is State.START
    gate.set()
    until(manager, State.AVAILABLE, 1, name="n")


def test_a_load_waits_for_an_unload_that_waits_for_its_handles(managers: Managers) -> None:
    manager = managers(TEN)
    manager.aspire("m", {1: taking(10)})
    until(manager, State.AVAILABLE, 1)
    with manager.handle("m"):
        manager.aspire("m", {})
        manager.aspire("n", {1: taking(10)})
        assert manager.statuses("n")[0].state is State.START

    until(manager, State.AVAILABLE, 1, name="n")


def test_a_load_that_waits_for_memory_ends_when_nobody_wants_it(managers: Managers) -> None:
    manager = managers(TEN)
    manager.aspire("m", {1: taking(10)})
    until(manager, State.AVAILABLE, 1)
    with manager.handle("m"):
        manager.aspire("m", {})
        manager.aspire("n", {1: taking(10)})
        manager.aspire("n", {})
        until(manager, State.END, 1, name="n")


def test_what_is_larger_than_the_limit_is_refused_without_waiting(managers: Managers) -> None:
    manager = managers(TEN)
    gate = threading.Event()
    first = taking(1, gate=gate)
    manager.aspire("m", {1: first})
    assert first.begun.wait(180)
    manager.aspire("n", {1: taking(11)})

    until(manager, State.END, 1, name="n")
    gate.set()


def test_a_failed_load_gives_its_memory_back(managers: Managers) -> None:
    manager = managers(ManagerOptions(memory_limit=10, max_load_retries=0))
    failing = FakeLoader(failures=(OSError("disk"),), resources=Resources(10))
    manager.aspire("m", {1: failing})
    until(manager, State.END, 1)
    manager.aspire("n", {1: taking(10)})

    until(manager, State.AVAILABLE, 1, name="n")


def test_preserving_resources_two_versions_need_the_memory_of_one(managers: Managers) -> None:
    manager = managers(ManagerOptions(memory_limit=10, transition_policy=ResourcePreserving()))
    manager.aspire("m", {1: taking(10)})
    until(manager, State.AVAILABLE, 1)
    manager.aspire("m", {2: taking(10)})

    until(manager, State.AVAILABLE, 2)


class WrongEstimate(FakeLoader):
    """A loader that breaks its word, as a third party's may."""

    def estimate(self) -> Resources:
        return None  # type: ignore[return-value]  # that is the point


def test_an_estimate_that_is_none_fails_the_load_and_nothing_else(managers: Managers) -> None:
    manager = managers(TEN)
    manager.aspire("m", {1: WrongEstimate()})
    until(manager, State.END, 1)
    manager.aspire("n", {1: taking(10)})

    until(manager, State.AVAILABLE, 1, name="n")


class NoEstimate(FakeLoader):
    """A loader that cannot even say how large its servable is."""

    def estimate(self) -> Resources:
        raise ServingError(Code.NOT_FOUND, "no such folder")


def test_a_failing_estimate_fails_the_load(managers: Managers) -> None:
    manager = managers(TEN)
    manager.aspire("m", {1: NoEstimate()})
    until(manager, State.END, 1)

    assert str(manager.statuses("m")[0].error) == (
        "INTERNAL: Error while attempting to reserve resources to load servable "
        "{name: m version: 1}: no such folder"
    )
