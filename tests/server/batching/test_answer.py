"""An answer is given once, and who may not wait for it is told."""

import threading
from concurrent.futures import CancelledError

import pytest

from model_server.batching.answer import Answer


def given(answer: Answer[int]) -> None:
    answer.give(1)


def failed(answer: Answer[int]) -> None:
    answer.fail(ValueError("no"))


def cancelled(answer: Answer[int]) -> None:
    assert answer.cancel()


@pytest.mark.parametrize("first", [given, failed, cancelled])
def test_what_ended_stays_so(first):
    answer: Answer[int] = Answer()
    told = []
    answer.add_done_callback(told.append)
    first(answer)

    for later in (given, failed):
        later(answer)

    assert (told, answer.done(), answer.begin()) == ([answer], True, False)
    if first is given:
        assert answer.result() == 1
    else:
        with pytest.raises(ValueError if first is failed else CancelledError):
            answer.result()


def test_one_that_began_cannot_be_cancelled():
    answer: Answer[int] = Answer()

    assert answer.begin()
    assert not answer.cancel()


def test_one_is_waited_for_no_longer_than_said():
    with pytest.raises(TimeoutError):
        Answer[int]().result(0.01)


def test_a_thread_that_waits_is_told():
    answer: Answer[int] = Answer()
    threading.Timer(0.01, answer.give, [5]).start()

    assert answer.result(180) == 5


@pytest.mark.parametrize("error", [ZeroDivisionError, SystemExit])
def test_who_asks_to_be_told_late_is_told_at_once_and_who_fails_keeps_nobody_from_it(error):
    def fail(_answer: Answer[int]) -> None:
        raise error

    answer: Answer[int] = Answer()
    told = []
    answer.add_done_callback(fail)
    answer.add_done_callback(told.append)

    answer.give(1)
    answer.add_done_callback(told.append)

    assert told == [answer, answer]
