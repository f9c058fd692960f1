"""Bells of Python and of the native transport wake one thread, now or when it waits."""

import importlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from model_server.batching.bell import PlainBell
from server.transports import NAMES

LONG = 60


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


def test_who_waits_for_a_time_waits_no_longer(bell):
    assert list(bell.wait(0.001)) == []


def test_nothing_is_heard_that_nobody_brought(bell):
    assert list(bell.heard()) == []
