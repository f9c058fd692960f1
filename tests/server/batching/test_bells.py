"""Bells of Python and of the native transport wake one thread, now or when it waits: the last."""

import importlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from model_server.batching.bell import PlainBell
from server.transports import NAMES

LONG = 60


def asleep(thread: threading.Thread) -> None:
    """Returns when a thread has slept for several looks in a row, as only its wait has it do."""
    status = Path(f"/proc/self/task/{thread.native_id}/stat")
    until = time.monotonic() + LONG
    looks = 0
    while looks < 5 and time.monotonic() < until:
        time.sleep(0.01)
        is_asleep = status.read_text().rpartition(")")[2].split()[0] == "S"
        looks = looks + 1 if is_asleep else 0


@pytest.fixture(params=["plain", pytest.param("native", marks=NAMES[-1].marks)])
def bell(request):
    if request.param == "plain":
        return PlainBell()
    return importlib.import_module("modelfleet_transport").Bell()


def test_who_waits_is_woken(bell):
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(bell.wait, LONG)
        bell.ring()

        assert list(waiting.result(LONG)) == []


def test_who_comes_later_does_not_wait_and_the_next_one_does(bell):
    bell.ring()
    bell.ring()

    assert list(bell.wait(LONG)) == []
    quiet = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: (bell.wait(LONG), quiet.set()))
        assert not quiet.wait(0.05)
        bell.ring()
        waiting.result(LONG)


def test_who_fell_asleep_last_is_woken_first(bell):
    woken: list[int] = []
    threads = [
        threading.Thread(target=lambda number=number: (bell.wait(LONG), woken.append(number)))
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
        asleep(thread)

    for thread in reversed(threads):
        bell.ring()
        thread.join(LONG)

    assert woken == [2, 1, 0]


def test_who_waits_for_a_time_waits_no_longer(bell):
    assert list(bell.wait(0.001)) == []


def test_nothing_is_heard_that_nobody_brought(bell):
    assert list(bell.heard()) == []
