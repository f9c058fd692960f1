"""How many jobs run at a time."""

import threading

import pytest

from model_server.core.lane import Lane


class Job:
    """Runs until it is let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        assert self.may_end.wait(180)


@pytest.fixture
def jobs() -> list[Job]:
    return [Job() for _ in range(3)]


def test_a_lane_runs_as_many_jobs_as_it_is_wide(jobs: list[Job]) -> None:
    lane = Lane("jobs", 2)
    for job in jobs:
        lane.submit(job)

    assert jobs[0].begun.wait(180)
    assert jobs[1].begun.wait(180)
    assert not jobs[2].begun.is_set()
    jobs[0].may_end.set()
    assert jobs[2].begun.wait(180)
    jobs[1].may_end.set()
    jobs[2].may_end.set()


def test_a_lane_made_wider_runs_at_once_what_waits(jobs: list[Job]) -> None:
    lane = Lane("jobs", 1)
    for job in jobs:
        lane.submit(job)
    lane.resize(3)

    assert all(job.begun.wait(180) for job in jobs)
    for job in jobs:
        job.may_end.set()


def test_a_lane_made_narrower_lets_what_runs_end_first(jobs: list[Job]) -> None:
    lane = Lane("jobs", 2)
    for job in jobs:
        lane.submit(job)
    assert jobs[0].begun.wait(180)
    assert jobs[1].begun.wait(180)
    lane.resize(1)
    jobs[0].may_end.set()
    jobs[1].may_end.set()

    assert jobs[2].begun.wait(180)
    jobs[2].may_end.set()


def test_a_lane_of_width_zero_runs_one_job_at_a_time(jobs: list[Job]) -> None:
    lane = Lane("jobs", 0)
    lane.submit(jobs[0])

    assert jobs[0].begun.wait(180)
    jobs[0].may_end.set()


def test_a_job_that_fails_does_not_stop_the_next(
    jobs: list[Job], caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("no")

    lane = Lane("jobs", 1)
    lane.submit(fail)
    lane.submit(jobs[0])

    assert jobs[0].begun.wait(180)
    jobs[0].may_end.set()
    assert "A job of jobs failed" in caplog.text
