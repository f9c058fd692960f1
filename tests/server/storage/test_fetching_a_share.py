"""A member brings its rows out of an object store, and nothing of the others'."""

from functools import partial

import numpy as np
import pytest

from model_server.servables.sharding.checkpoint.checkpoint_index import index_bytes
from model_server.servables.sharding.plan.needs import MemberNeeds
from model_server.servables.sharding.plan.planning import read_plan
from model_server.storage.folders import RemoteFolder
from model_server.storage.model_cache import ModelCache
from server.sharding import models
from server.sharding.groups import grouped
from server.sharding.whole_models import whole_answers

URL = "s3://models/ranker/1"
TAGS = frozenset({"serve"})
SHARDS = 3
IDS = np.array([0, 19_999, 12_345, 12_345, 7])


def put(store, folder):
    store.put_folder("models", "ranker/1", folder)
    return folder


def fetched(root, needs=None):
    folder = RemoteFolder(URL, ModelCache(str(root)))
    return folder, folder.fetch(needs)


def served(store):
    """The bytes of data files that the store gave away since it was last asked."""
    found = sum(size for path, size in store.served if ".data-" in path)
    store.served.clear()
    return found


def on_disk(folder):
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("make", [models.recommender, models.chain, models.tensorflow_1])
def test_each_member_brings_its_share_and_together_they_answer_as_the_whole(s3, tmp_path, make):
    whole = put(s3, make(tmp_path / "whole" / "1"))
    plan, _ = read_plan(whole, SHARDS, TAGS)
    paths = []
    for member in range(SHARDS):
        root = tmp_path / str(member)
        _, path = fetched(root, MemberNeeds(member, SHARDS, TAGS))
        paths.append(path)
        assert served(s3) == plan.bytes_on(member)
        # A file system gives whole blocks, and there are the graph and the index.
        assert on_disk(root) < plan.bytes_on(member) + 300_000
    with grouped(whole, SHARDS, paths) as group:
        (wanted,) = whole_answers(whole, [IDS])
        for found in group.answers({"ids": IDS}):
            for alias, value in wanted.items():
                assert np.array_equal(found[alias], value)


def test_what_is_stored_in_slices_is_brought_whole(s3, tmp_path):
    whole = put(s3, models.tensorflow_1(tmp_path / "1", parts=2, rows=60_000))
    fetched(tmp_path / "cache", MemberNeeds(0, SHARDS, TAGS))
    (data,) = whole.glob("variables/*.data-*")
    assert served(s3) == data.stat().st_size


def test_of_a_model_that_no_group_can_load_no_data_is_brought(s3, tmp_path):
    whole = models.recommender(tmp_path / "1")
    (whole / "variables" / "variables.index").write_bytes(index_bytes(1, []))
    put(s3, whole)
    fetched(tmp_path / "cache", MemberNeeds(0, SHARDS, TAGS))
    assert served(s3) == 0


def test_the_room_of_the_cache_is_asked_for_the_share(s3, tmp_path):
    whole = put(s3, models.recommender(tmp_path / "1"))
    plan, _ = read_plan(whole, SHARDS, TAGS)
    cache = ModelCache(str(tmp_path / "cache"), plan.bytes // 2)
    fetch = partial(RemoteFolder(URL, cache).fetch, MemberNeeds(0, SHARDS, TAGS))
    assert fetch()
    with pytest.raises(Exception, match="do not fit beside"):
        RemoteFolder(URL, cache).fetch(MemberNeeds(0, 1, TAGS))
