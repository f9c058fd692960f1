"""The files that records go to: their names, their number, their size, and a disk that is full."""

import resource
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from model_server.request_logs.collectors import framed
from model_server.request_logs.files import FileLimits, NumberedFiles

HOST = socket.gethostname()


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


@pytest.fixture
def files(tmp_path) -> Iterator[Callable[..., NumberedFiles]]:
    """Makes files with the prefix ``log`` in a folder."""
    made: list[NumberedFiles] = []

    def make(**limits: int) -> NumberedFiles:
        made.append(NumberedFiles(str(tmp_path / "log"), ".txt", FileLimits(**limits)))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_file_ends_when_the_next_record_would_make_it_too_large(tmp_path, files):
    written = files(bytes=10)
    for record in (b"12345", b"67890", b"more", b"larger than the limit", b"end"):
        written.write(record)

    contents = [file.read_bytes() for file in sorted(tmp_path.iterdir())]

    assert contents == [b"1234567890", b"more", b"larger than the limit", b"end"]
    assert names(tmp_path) == [f"log.{HOST}.{number:06d}.txt" for number in (1, 2, 3, 4)]


def test_the_oldest_files_are_removed_beyond_their_number(tmp_path, files):
    written = files(bytes=1, files=2)
    for record in (b"1", b"2", b"3", b"4"):
        written.write(record)

    assert [file.read_bytes() for file in sorted(tmp_path.iterdir())] == [b"3", b"4"]


def test_files_that_were_there_are_left_alone_and_counted_on_from(tmp_path, files):
    (tmp_path / f"log.{HOST}.000041.txt").write_bytes(b"old")
    (tmp_path / "log.other.000099.txt").write_bytes(b"of another host")

    files().write(b"new")

    assert (tmp_path / f"log.{HOST}.000041.txt").read_bytes() == b"old"
    assert (tmp_path / f"log.{HOST}.000042.txt").read_bytes() == b"new"


def test_two_writers_of_one_prefix_do_not_share_a_file(tmp_path, files):
    one, other = files(), files()
    for written in (one, other, one):
        written.write(b"x")

    assert sorted(len(file.read_bytes()) for file in tmp_path.iterdir()) == [1, 2]


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Lets no file of this process grow beyond 100 bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_record_that_does_not_fit_the_disk_leaves_no_half_behind(tmp_path, files, small_disk):
    written = files()
    written.write(b"a" * 60)

    with pytest.raises(OSError, match="too large"):
        written.write(b"b" * 60)
    written.write(b"c" * 40)

    assert (tmp_path / f"log.{HOST}.000001.txt").read_bytes() == b"a" * 60 + b"c" * 40


@given(records=st.lists(st.binary(max_size=200), max_size=5))
def test_tensorflow_reads_what_was_framed(records, tmp_path_factory):
    file = tmp_path_factory.mktemp("framed") / "records"
    file.write_bytes(b"".join(map(framed, records)))

    assert list(tf.compat.v1.io.tf_record_iterator(str(file))) == records
