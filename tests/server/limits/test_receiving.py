"""How long a call may take to send its message depends on how many others do."""

import pytest

from model_server.api.grpc.receiving import overdue, patience

ROOM = 256


@pytest.mark.parametrize(
    ("waiting", "seconds"),
    [(0, 600), (1, 600), (128, 600), (129, 30), (192, 30), (193, 1), (256, 1), (9999, 1)],
)
def test_the_fuller_the_room_the_shorter_the_patience(waiting, seconds):
    assert patience(waiting, ROOM) == seconds


@pytest.mark.parametrize(
    ("ages", "ended"),
    [
        pytest.param([], 0, id="nobody waits"),
        pytest.param([599.0], 0, id="a large message has its time"),
        pytest.param([601.0, 1.0], 1, id="one takes too long"),
        pytest.param([29.0] * 129, 0, id="half of the room is taken, but not for long"),
        pytest.param([31.0] * 130, 2, id="so many that half of the room is free again"),
        pytest.param([2.0] * 256, 64, id="so many that a quarter of the room is free again"),
        pytest.param([31.0] * 100 + [2.0] * 100, 72, id="the oldest of a crowd"),
        pytest.param([0.5] * 256, 0, id="a burst that has just come"),
    ],
)
def test_the_oldest_are_ended_until_the_rest_is_within_its_patience(ages, ended):
    assert overdue([-age for age in ages], ROOM, 0.0) == ended
