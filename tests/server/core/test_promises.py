"""What holds whatever happens: with random aspirations and failures, and under real concurrency."""

import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.core.errors import ServableNotFound
from model_server.core.manager import Manager, ManagerOptions
from model_server.core.transition_policy import AvailabilityPreserving, ResourcePreserving
from server.core.fakes import FakeLoader, FakeServable
from server.core.histories import SOON, Step, play

VERSIONS = st.integers(1, 5)
STEPS = st.lists(st.builds(Step, st.frozensets(VERSIONS), st.booleans()), min_size=1, max_size=6)
BROKEN = st.frozensets(VERSIONS, max_size=3)


@settings(max_examples=50, deadline=None)
@given(STEPS, BROKEN)
def test_preserving_availability_the_last_available_version_is_never_given_up(
    steps: list[Step], broken: frozenset[int]
) -> None:
    assert play(AvailabilityPreserving(), steps, broken).given_up == ()


@settings(max_examples=50, deadline=None)
@given(STEPS, BROKEN)
def test_preserving_availability_all_that_is_aspired_and_loads_is_available_in_the_end(
    steps: list[Step], broken: frozenset[int]
) -> None:
    outcome = play(AvailabilityPreserving(), steps, broken)

    assert outcome.available >= steps[-1].aspired - broken


@settings(max_examples=50, deadline=None)
@given(STEPS, BROKEN)
def test_preserving_resources_all_that_is_aspired_and_loads_is_available_in_the_end(
    steps: list[Step], broken: frozenset[int]
) -> None:
    outcome = play(ResourcePreserving(), steps, broken)

    assert outcome.available == steps[-1].aspired - broken


def borrow_until(
    ended: threading.Event, manager: Manager[FakeServable], version: int | None
) -> tuple[int, int]:
    """How often a handle held an unloaded servable, and how often there was nothing to borrow."""
    unloaded, missed = 0, 0
    while not ended.is_set():
        try:
            with manager.handle("m", version) as handle:
                unloaded += not handle.servable.is_loaded
                unloaded += not handle.servable.is_loaded
        except ServableNotFound:
            missed += 1
    return unloaded, missed


def test_a_handle_never_sees_an_unloaded_servable_and_a_served_model_is_always_there() -> None:
    manager: Manager[FakeServable] = Manager(ManagerOptions(load_threads=2))
    manager.aspire("m", {0: FakeLoader()})
    assert manager.wait_until(["m"], timeout=SOON).ok
    ended = threading.Event()

    with ThreadPoolExecutor(3) as clients:
        latest = [clients.submit(borrow_until, ended, manager, None) for _ in range(2)]
        one = clients.submit(borrow_until, ended, manager, 1)
        for number in range(1, 20):
            manager.aspire("m", {number % 7: FakeLoader()})
            assert manager.wait_until(["m"], timeout=SOON).ok
        ended.set()

    assert [client.result() for client in latest] == [(0, 0)] * 2
    assert one.result()[0] == 0
    assert manager.stop(SOON)
