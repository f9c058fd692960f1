"""What the source emits for what it finds."""

import threading
from collections.abc import Mapping
from datetime import timedelta

import pytest

from model_server.core.source import (
    FileSystemSource,
    Finding,
    SourceOptions,
    WatchedStream,
)
from model_server.core.version_policy import All, Latest, Specific, VersionPolicy
from server.core.fakes import FakeFiles

Emitted = list[tuple[str, Mapping[int, str]]]


def source(
    folders: Mapping[str, list[str] | OSError], options: SourceOptions | None = None
) -> tuple[FileSystemSource, FakeFiles, Emitted]:
    emitted: Emitted = []
    files = FakeFiles(folders)
    made = FileSystemSource(
        lambda name, aspired: emitted.append((name, dict(aspired))),
        files,
        options or SourceOptions(),
    )
    return made, files, emitted


@pytest.mark.parametrize(
    ("children", "policy", "aspired"),
    [
        pytest.param(["non_numerical_child"], Latest(), {}, id="no version: all unload"),
        pytest.param(["42", "17", "x"], Latest(), {42: "/m/42"}, id="the latest"),
        pytest.param(["42", "17", "x"], All(), {17: "/m/17", 42: "/m/42"}, id="all"),
        pytest.param(
            ["42", "00017"],
            Specific(frozenset({17, 30})),
            {17: "/m/00017"},
            id="a specific one, under the name it has",
        ),
        pytest.param(["1"], Specific(frozenset()), {}, id="none of them"),
    ],
)
def test_a_poll_emits_the_aspired_versions(
    children: list[str], policy: VersionPolicy, aspired: dict[int, str]
) -> None:
    polled, _, emitted = source({"/m": children})
    polled.update([WatchedStream("m", "/m", policy)])
    polled.poll()

    assert emitted == [("m", aspired)]


def test_a_missing_base_path_emits_nothing_until_it_appears() -> None:
    polled, files, emitted = source({})
    polled.update([WatchedStream("m", "/m/")])
    polled.poll()
    before = polled.finding("m")
    files.folders["/m/"] = ["3"]
    polled.poll()

    assert before == Finding(
        missing_base_path=True, error="Could not find base path /m/ for servable m"
    )
    assert emitted == [("m", {3: "/m/3"})]
    assert polled.finding("m") == Finding(frozenset({3}), frozenset({3}))


def test_a_base_path_that_vanishes_unloads_nothing() -> None:
    polled, files, emitted = source({"/m": ["3"]})
    polled.update([WatchedStream("m", "/m")])
    polled.poll()
    del files.folders["/m"]
    polled.poll()

    assert emitted == [("m", {3: "/m/3"})]
    finding = polled.finding("m")
    assert finding is not None
    assert (finding.aspired, finding.missing_base_path) == (frozenset({3}), True)


def test_a_base_path_that_cannot_be_read_does_not_disturb_the_others() -> None:
    polled, _, emitted = source({"/a": PermissionError("denied"), "/b": ["1"]})
    polled.update([WatchedStream("a", "/a"), WatchedStream("b", "/b")])
    polled.poll()

    assert emitted == [("b", {1: "/b/1"})]
    assert polled.finding("a") == Finding(
        error="Could not list base path /a for servable a: denied"
    )


def test_a_stream_that_is_dropped_is_emitted_empty_and_the_others_are_not_touched() -> None:
    polled, _, emitted = source({"/0": ["1"], "/1": ["1"], "/2": ["1"]})
    polled.update([WatchedStream("0", "/0"), WatchedStream("1", "/1")])
    polled.poll()
    emitted.clear()
    polled.update([WatchedStream("1", "/1"), WatchedStream("2", "/2")])

    assert emitted == [("0", {})]
    assert polled.finding("0") is None
    assert polled.finding("1") is not None


def test_a_change_of_policy_counts_from_the_next_poll() -> None:
    polled, _, emitted = source({"/m": ["1", "02", "3", "5", "8", "13"]})
    polled.update([WatchedStream("m", "/m", Latest(2))])
    polled.poll()
    polled.update([WatchedStream("m", "/m", Specific(frozenset({2, 5})))])
    polled.poll()

    assert emitted == [
        ("m", {8: "/m/8", 13: "/m/13"}),
        ("m", {2: "/m/02", 5: "/m/5"}),
    ]


def test_the_last_version_may_go() -> None:
    polled, files, emitted = source({"/m": ["1"]})
    polled.update([WatchedStream("m", "/m")])
    polled.poll()
    files.folders["/m"] = []
    polled.poll()

    assert emitted[-1] == ("m", {})


def test_the_last_version_stays_aspired_if_there_must_always_be_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    polled, files, emitted = source({"/m": ["1"]}, SourceOptions(versions_always_present=True))
    polled.update([WatchedStream("m", "/m")])
    polled.poll()
    files.folders["/m"] = []
    polled.poll()
    polled.poll()

    assert emitted == [("m", {1: "/m/1"})]
    assert caplog.text.count("Refusing to unload all versions for Servable: m") == 1


def test_the_same_trouble_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    polled, _, _ = source({"/m": ["x"]})
    polled.update([WatchedStream("m", "/m", Specific(frozenset({2})))])
    polled.poll()
    polled.poll()

    assert [record.getMessage() for record in caplog.records] == [
        "Version 2 of servable m, which was requested to be served as a 'specific' version in the"
        " servable's version policy, was not found in the file system",
        "No versions of servable m found under base path /m. Did you forget to name your leaf"
        " directory as a number (eg. '/1/')?",
    ]


def test_a_stream_dropped_during_a_poll_does_not_come_back() -> None:
    polled, files, emitted = source({"/m": ["1"]})
    files.during_listing = lambda: polled.update([])
    polled.update([WatchedStream("m", "/m")])
    polled.poll()

    assert emitted == [("m", {})]


def test_a_receiver_that_fails_does_not_end_the_polling(caplog: pytest.LogCaptureFixture) -> None:
    def fail(name: str, aspired: Mapping[int, str]) -> None:
        raise RuntimeError("no")

    polled = FileSystemSource(fail, FakeFiles({"/m": ["1"]}))
    polled.update([WatchedStream("m", "/m")])
    polled.poll()

    assert "The aspired versions of servable m could not be passed on" in caplog.text


class Counted:
    """Receives what is emitted and tells when so much has come."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.come = threading.Condition()

    def receive(self, name: str, aspired: Mapping[int, str]) -> None:
        with self.come:
            self.names.append(name)
            self.come.notify_all()

    def wait_for(self, count: int) -> bool:
        with self.come:
            return self.come.wait_for(lambda: len(self.names) >= count, 10)


@pytest.mark.parametrize(
    ("interval", "count"),
    [
        pytest.param(0, 1, id="zero polls once"),
        pytest.param(3600, 1, id="a long interval polls at once, then waits"),
        pytest.param(0.001, 5, id="a short interval polls again and again"),
    ],
)
def test_the_poller_polls(interval: float, count: int) -> None:
    counted = Counted()
    options = SourceOptions(poll_interval=timedelta(seconds=interval))
    polled = FileSystemSource(counted.receive, FakeFiles({"/m": ["1"]}), options)
    polled.update([WatchedStream("m", "/m")])
    polled.start()

    assert counted.wait_for(count)
    assert polled.stop(timedelta(seconds=10))


def test_new_streams_are_polled_at_once_even_if_polling_is_over() -> None:
    counted = Counted()
    options = SourceOptions(poll_interval=timedelta(0))
    polled = FileSystemSource(counted.receive, FakeFiles({"/m": ["1"], "/n": []}), options)
    polled.update([WatchedStream("m", "/m")])
    polled.start()
    assert counted.wait_for(1)
    polled.update([WatchedStream("m", "/m"), WatchedStream("n", "/n")])

    assert counted.wait_for(3)
    assert polled.stop(timedelta(seconds=10))
    assert counted.names == ["m", "m", "n"]


def test_a_negative_interval_never_polls() -> None:
    options = SourceOptions(poll_interval=timedelta(seconds=-1))
    polled, _, emitted = source({"/m": ["1"]}, options)
    polled.update([WatchedStream("m", "/m")])
    polled.start()

    assert polled.stop()
    assert emitted == []
