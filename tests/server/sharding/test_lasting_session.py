"""When an entry makes a session with all members, and which one answers requests."""

import threading

import numpy as np
import pytest
import tensorflow as tf

from model_server.core.errors import Code, MemberLost, ServingError
from model_server.servables.dtypes import FLOAT, STRING
from model_server.servables.sharding.spread.sessions import LastingSession, Work
from model_server.servables.signature import Signature, TensorSpec

SERVE = Signature(
    "serve",
    {"x": TensorSpec("x:0", FLOAT, (-1, 2)), "s": TensorSpec("s:0", STRING)},
    {"y": TensorSpec("y:0", FLOAT)},
)
REQUEST = {"x": np.ones((1, 2), np.float32), "s": np.array([b"s"], object)}


class Session:
    """Gives its number, or fails."""

    def __init__(self, number):
        self.number = number
        self.fails_with = None
        self.fed = []
        self.closed = threading.Event()

    def run(self, fetches, feed, options):
        self.fed.append(feed)
        if self.fails_with is not None:
            raise self.fails_with
        assert options.timeout_in_ms == 1500
        return {alias: np.float32(self.number) for alias in fetches}

    def close(self):
        self.closed.set()


class Sessions:
    def __init__(self):
        self.made = []
        self.lasting = LastingSession(Work(self._connect, {"serve": SERVE}, "model.1", 1.5))

    def _connect(self):
        self.made.append(Session(len(self.made)))
        return self.made[-1]

    def joined(self, members):
        while self.lasting.join(members) is not None:
            pass

    def answer(self):
        (found,) = self.lasting.run(SERVE, REQUEST, ["y"])
        return found


def failure(code, message):
    return tf.errors.OpError(None, None, message, code)


@pytest.fixture
def sessions():
    made = Sessions()
    yield made
    made.lasting.close()


def test_the_session_of_the_same_members_stays(sessions):
    sessions.joined([1, 2])
    sessions.joined([1, 2])
    assert sessions.answer() == 0


def test_other_members_get_another_session_and_that_of_before_is_closed(sessions):
    sessions.joined([1, 2])
    sessions.joined([1, 3])
    assert sessions.answer() == 1
    assert sessions.made[0].closed.wait(180)


def test_a_session_is_warm_before_it_counts(sessions):
    sessions.joined([1, 2])
    (fed,) = sessions.made[0].fed
    assert fed["x:0"].shape == (1, 2)
    assert list(fed["s:0"]) == [b""]


def test_no_request_is_answered_before_the_members_are_joined(sessions):
    assert sessions.lasting.join([1, 2]) is not None
    with pytest.raises(MemberLost, match="the group is not whole"):
        sessions.answer()


@pytest.mark.parametrize(
    "error",
    [
        failure(Code.ABORTED, "different device incarnation"),
        failure(Code.UNAVAILABLE, "connection refused"),
        failure(Code.NOT_FOUND, "Container model.1 does not exist"),
        RuntimeError("Attempted to use a closed Session."),
    ],
)
def test_a_session_that_has_lost_a_member_is_replaced(sessions, error):
    sessions.joined([1, 2])
    sessions.made[0].fails_with = error
    for _ in range(2):
        with pytest.raises(MemberLost):
            sessions.answer()
    sessions.joined([1, 2])
    assert sessions.answer() == 1


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (failure(Code.DEADLINE_EXCEEDED, "too late"), Code.DEADLINE_EXCEEDED),
        (failure(Code.INVALID_ARGUMENT, "outside"), Code.INVALID_ARGUMENT),
        (ValueError("another shape"), Code.INVALID_ARGUMENT),
    ],
)
def test_what_fails_by_itself_leaves_the_session_as_it_is(sessions, error, code):
    sessions.joined([1, 2])
    sessions.made[0].fails_with = error
    with pytest.raises(ServingError) as caught:
        sessions.answer()
    assert caught.value.code is code
    sessions.made[0].fails_with = None
    assert sessions.answer() == 0


def test_errors_of_other_requests_are_not_told(sessions):
    sessions.joined([1, 2])
    said = "outside\nRecent warning and error logs:\n  Container model.1 of another request"
    sessions.made[0].fails_with = failure(Code.INVALID_ARGUMENT, said)
    with pytest.raises(ServingError) as caught:
        sessions.answer()
    assert (caught.value.code, caught.value.message) == (Code.INVALID_ARGUMENT, "outside")
