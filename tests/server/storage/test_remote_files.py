"""Base paths in object stores are listed, seldom and without waiting long."""

import threading
from datetime import timedelta

import pytest

from model_server.core.errors import Code, ServingError
from model_server.storage.remote_files import Patience, RemoteFiles
from server.storage.conftest import SECRET
from server.storage.s3_server import KEY_ID


class Time:
    """The time of a clock that stands still until it is set."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    """The clock of ``files``."""
    return Time()


@pytest.fixture
def files(time) -> RemoteFiles:
    """Lists again after 30 seconds, and waits as long as a listing takes."""
    return RemoteFiles(Patience(timedelta(seconds=30), timedelta(seconds=60)), time)


def test_the_children_of_a_prefix_are_listed_over_many_pages(s3, files):
    s3.buckets["models"] = {f"a/m/{version}/saved_model.pb": b"" for version in range(1, 11)}

    assert sorted(files.children("s3://models/a/m")) == sorted(str(v) for v in range(1, 11))


def test_a_slash_at_the_end_of_a_base_path_changes_nothing(s3, files):
    s3.buckets["models"] = {"m/1/f": b"", "mm/2/f": b""}

    assert files.children("s3://models/m/") == ["1"]


def test_a_listing_is_used_again_until_it_is_old(s3, files, time):
    s3.buckets["models"] = {"m/1/f": b""}
    files.children("s3://models/m")
    asked = len(s3.requests)
    s3.buckets["models"]["m/2/f"] = b""

    time.now = 29
    assert files.children("s3://models/m") == ["1"]
    assert len(s3.requests) == asked
    time.now = 31
    assert sorted(files.children("s3://models/m")) == ["1", "2"]


def test_a_prefix_without_objects_is_missing(s3, files):
    with pytest.raises(FileNotFoundError):
        files.children("s3://models/none")


def test_a_bucket_that_is_not_there_is_told(s3, files):
    with pytest.raises(ServingError, match="NoSuchBucket") as raised:
        files.children("s3://none/m")

    assert "Debug source" not in raised.value.message


def test_a_refusal_is_told_without_the_credentials(s3, files, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "another")

    with pytest.raises(ServingError) as raised:
        files.children("s3://models/m")

    assert raised.value.code is Code.PERMISSION_DENIED
    assert SECRET not in str(raised.value)
    assert KEY_ID not in str(raised.value)


@pytest.mark.usefixtures("unreachable_s3")
def test_a_store_that_cannot_be_reached_is_unavailable(files):
    with pytest.raises(ServingError) as raised:
        files.children("s3://models/m")

    assert raised.value.code is Code.UNAVAILABLE


def test_a_slow_listing_is_not_waited_for_and_found_when_it_has_ended(s3):
    s3.buckets["models"] = {"m/1/f": b""}
    may_answer = threading.Event()
    s3.before = lambda _path: may_answer.wait(180)
    impatient = RemoteFiles(Patience(timedelta(seconds=600), timedelta(seconds=0.05)))

    with pytest.raises(ServingError, match=r"takes longer than 0\.05 seconds"):
        impatient.children("s3://models/m")
    may_answer.set()
    found = None
    while found is None:
        try:
            found = impatient.children("s3://models/m")
        except ServingError as error:
            assert error.code is Code.DEADLINE_EXCEEDED

    assert found == ["1"]


@pytest.mark.parametrize(
    "url",
    [
        "nosuch://models/m",
        "http://127.0.0.1:1/m",
        "zip://m::s3://models/m.zip",
        "s3://models/m::http://127.0.0.1:1",
        "reference://m",
        "local:///etc",
    ],
)
def test_what_is_no_file_system_for_models_is_refused(files, url):
    with pytest.raises(ServingError, match="in no file system that models are read from") as raised:
        files.children(url)

    assert raised.value.code is Code.FAILED_PRECONDITION


def test_a_file_system_whose_package_is_missing_is_told(files):
    with pytest.raises(ServingError, match="smb:// cannot be read here") as raised:
        files.children("smb://host/m")

    assert raised.value.code is Code.FAILED_PRECONDITION


def test_other_schemes_are_read_through_fsspec(files):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/listed/m/7/saved_model.pb", b"")

    assert files.children("memory://listed/m") == ["7"]
