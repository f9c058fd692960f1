"""A version is fetched whole, within bounds, and nothing of it is left behind."""

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from model_server.core.errors import Code, ServingError
from model_server.storage.file_systems import explained
from model_server.storage.folders import RemoteFolder
from model_server.storage.model_cache import ModelCache

URL = "s3://models/m/1"
# More than is fetched at once.
LARGE = bytes(range(256)) * (40 * 2**10)

# Fetches something and ends like a process that is killed.
FETCH_AND_DIE = """
import os, sys
from model_server.storage.model_cache import ModelCache
print(ModelCache(sys.argv[1]).reserve(1), flush=True)
os._exit(1)
"""


@pytest.fixture
def root(tmp_path):
    """Where the cache is."""
    return tmp_path / "cache"


@pytest.fixture
def folder(s3, root):
    """Version 1 of m, with a cache of its own."""
    return RemoteFolder(URL, ModelCache(str(root)))


def files_in(root) -> list[str]:
    """The names of all files below that are not the cache's own."""
    return sorted(file.name for file in root.rglob("*") if file.is_file() and file.name != "lock")


def test_all_files_are_there_under_the_versions_name(s3, folder):
    content = {"saved_model.pb": b"abc", "variables/data": LARGE, "assets/empty": b""}
    s3.buckets["models"] = {f"m/1/{name}": data for name, data in content.items()}
    s3.buckets["models"] |= {"m/1/assets/": b"", "m/10/other": b"other"}

    path = folder.fetch()

    assert path.endswith("/1")
    found = {name: Path(path, name).read_bytes() for name in content}
    assert found == content
    assert folder.size() == 3 + len(LARGE)


def test_google_cloud_storage_is_read_the_same_way(s3, root, monkeypatch):
    # Its XML API lists and reads as S3 does; an account may name another address and need no token.
    account = {"client_email": "", "private_key": "", "private_key_id": "", "disable_oauth": True}
    monkeypatch.setenv(
        "GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps({**account, "gcs_base_url": s3.url})
    )
    s3.asks_for_key = False
    s3.buckets["models"] = {"m/1/saved_model.pb": b"abc", "m/1/variables/data": b"defg"}

    path = RemoteFolder("gs://models/m/1", ModelCache(str(root))).fetch()

    assert Path(path, "variables", "data").read_bytes() == b"defg"


def test_nothing_has_the_versions_name_before_all_of_it_is_there(s3, folder, root):
    s3.buckets["models"] = {f"m/1/{name}": b"abc" for name in "abcdefgh"}
    seen = []
    s3.before = lambda _path: seen.extend(root.rglob("1"))

    folder.fetch()

    assert seen == []
    assert len(list(root.rglob("1"))) == 1


def test_dropping_a_version_removes_its_files(s3, folder, root):
    s3.buckets["models"] = {"m/1/f": b"abc"}
    folder.fetch()
    assert files_in(root) == ["f"]

    folder.drop()

    assert files_in(root) == []


@pytest.mark.parametrize("later", [b"abd", b"abcd", None], ids=["changed", "longer", "gone"])
def test_files_that_change_meanwhile_are_not_used(s3, folder, root, later):
    s3.buckets["models"] = {"m/1/f": b"abc", "m/1/g": b"abc"}

    def change(path):
        if path.startswith("/models/m/1/g"):
            s3.buckets["models"]["m/1/f"] = later
            if later is None:
                del s3.buckets["models"]["m/1/f"]

    s3.before = change
    with pytest.raises(ServingError, match=f"Could not fetch {URL}") as raised:
        folder.fetch()

    assert raised.value.code in (Code.UNAVAILABLE, Code.NOT_FOUND)
    assert files_in(root) == []


def test_a_version_without_files_is_not_found(s3, folder):
    s3.buckets["models"] = {"m/1/": b"", "m/2/f": b""}

    with pytest.raises(ServingError, match="there is no file under models/m/1") as raised:
        folder.fetch()

    assert raised.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("name", ["../f", "a/../../f", "a//f"])
def test_a_name_that_is_no_path_is_refused(root, name):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pipe_file("/m/1/ok", b"")
    memory.store[f"/m/1/{name}"] = memory.store["/m/1/ok"]

    with pytest.raises(ServingError):
        RemoteFolder("memory://m/1", ModelCache(str(root))).fetch()

    assert files_in(root.parent) == []


def test_what_exceeds_the_limit_is_refused_before_it_is_fetched(s3, root):
    s3.buckets["models"] = {"m/1/f": b"abcd", "m/2/f": b"abcdefg"}
    cache = ModelCache(str(root), limit=10)
    RemoteFolder(URL, cache).fetch()
    asked = len(s3.requests)

    second = RemoteFolder("s3://models/m/2", cache)
    with pytest.raises(ServingError, match=r"7 bytes do not fit beside 4 bytes.* is 10") as raised:
        second.fetch()

    assert raised.value.code is Code.RESOURCE_EXHAUSTED
    assert [path for path in s3.requests[asked:] if path.startswith("/models/m/2")] == []


def test_what_the_disk_cannot_hold_is_refused(root):
    with pytest.raises(ServingError, match="do not fit on the disk") as raised:
        ModelCache(str(root)).reserve(2**60)

    assert raised.value.code is Code.RESOURCE_EXHAUSTED


def test_room_that_is_freed_is_used_again(root):
    cache = ModelCache(str(root), limit=10)
    cache.free(cache.reserve(10))

    assert cache.reserve(10)


def test_a_cache_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(ServingError, match="cannot be used") as raised:
        ModelCache(str(tmp_path / "file" / "cache")).reserve(1)

    assert raised.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize("trap", [lambda at: at.symlink_to("."), lambda at: at.mkdir(0o777)])
def test_a_folder_in_public_that_others_can_change_is_not_used(tmp_path, monkeypatch, trap):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old = os.umask(0)
    trap(tmp_path / f"modelfleet-models-{os.getuid()}")
    os.umask(old)

    with pytest.raises(ServingError, match="belongs to this user alone"):
        ModelCache().reserve(1)


def test_a_full_disk_is_told_as_such():
    assert explained(OSError(errno.ENOSPC, "No space left")).code is Code.RESOURCE_EXHAUSTED


def test_what_a_killed_server_left_is_swept_and_a_living_ones_is_not(root):
    command = [sys.executable, "-c", FETCH_AND_DIE, str(root)]
    left = subprocess.run(command, stdout=subprocess.PIPE, check=False, text=True).stdout.strip()
    living = ModelCache(str(root))
    kept = living.reserve(1)
    assert (root / left).is_dir()

    ModelCache(str(root)).sweep()

    assert not (root / left).exists()
    assert (root / kept).is_dir()


def test_a_server_that_ends_takes_its_files_along(root):
    cache = ModelCache(str(root))
    cache.reserve(1)

    cache.close()

    assert [entry.name for entry in root.iterdir()] == ["lock"]
