"""The thread that writes records: who hands them in never waits, and what is lost is counted."""

import threading
from functools import partial

import pytest

from model_server.core.errors import Code
from model_server.request_logs.collectors import Record
from model_server.request_logs.writer import Entry, Output, Room, Writer


class Kept:
    """A collector that keeps its records in a list, when ``may_go_on`` is set."""

    def __init__(self) -> None:
        self.records: list[object] = []
        self.closed = False
        self.problems: list[Exception] = []
        self.began = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def collect(self, record: Record) -> None:
        self.began.set()
        assert self.may_go_on.wait(180)
        if self.problems:
            raise self.problems.pop()
        self.records.append(record.log)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def counted() -> list[Code]:
    return []


@pytest.fixture
def entry(kept, counted):
    """Makes an entry of some text."""
    output = Output("here", kept)

    def make(text: str, size: int = 1) -> Entry:
        return Entry(output, size, partial(Record, text), counted.append)

    return make


def test_records_are_written_in_their_order_and_counted(entry, kept, counted):
    writer = Writer()
    for text in ("a", "b", "c"):
        writer.put(entry(text))
    writer.end(entry("").output)
    writer.stop(60)

    assert kept.records == ["a", "b", "c"]
    assert kept.closed
    assert counted == [Code.OK] * 3


@pytest.mark.parametrize(
    "room",
    [pytest.param(Room(entries=2), id="by number"), pytest.param(Room(bytes=2), id="by size")],
)
def test_what_has_no_room_is_dropped_at_once_and_counted(entry, kept, counted, room):
    writer = Writer(room)
    kept.may_go_on.clear()
    writer.put(entry("in work"))
    assert kept.began.wait(180)

    for text in ("waits", "waits too", "dropped", "dropped too"):
        writer.put(entry(text))
    dropped = list(counted)
    kept.may_go_on.set()
    writer.stop(60)

    assert dropped == [Code.RESOURCE_EXHAUSTED] * 2
    assert kept.records == ["in work", "waits", "waits too"]


def test_a_collector_that_fails_is_reported_once_until_it_works_again(entry, kept, counted, caplog):
    caplog.set_level("INFO")
    writer = Writer()
    kept.problems = [OSError(28, "No space left on device")] * 2
    for text in ("lost", "lost too", "kept"):
        writer.put(entry(text))
    writer.stop(60)

    assert kept.records == ["kept"]
    assert counted == [Code.DATA_LOSS, Code.DATA_LOSS, Code.OK]
    assert caplog.messages == [
        "Requests are not logged to here: [Errno 28] No space left on device",
        "Requests are logged to here again",
    ]


def test_a_record_that_comes_after_its_output_was_closed_is_not_written(entry, kept, counted):
    writer = Writer()
    writer.end(entry("").output)
    writer.put(entry("late"))
    writer.stop(60)

    assert kept.records == []
    assert counted == [Code.CANCELLED]


def test_the_end_does_not_wait_for_a_collector_that_hangs(entry, kept, caplog):
    writer = Writer()
    kept.may_go_on.clear()
    for text in ("hangs", "left"):
        writer.put(entry(text))
    assert kept.began.wait(180)

    writer.stop(0.01)
    kept.may_go_on.set()

    assert caplog.messages == ["1 records of requests were not written"]
