"""A server whose base path is in an object store."""

import shutil

import pytest

from model_server.core.errors import ServingError
from server.conftest import model_config

PREDICT = "/v1/models/m:predict"


@pytest.fixture
def store(s3, model_folders):
    """The store with version 1 of m, which adds 2."""
    s3.put_folder("models", "some/m/1", model_folders / "two" / "1")
    return s3


@pytest.fixture
def serve_m(started, tmp_path):
    """Serves all or the latest of s3://models/some/m, looking often."""

    def serve(policy="", **options):
        config = model_config(tmp_path / "m", policy).replace(str(tmp_path), "s3://models/some")
        return started(
            config,
            remote_file_system_poll_wait_seconds=0,
            model_cache_folder=str(tmp_path / "cache"),
            load_retry_interval_micros=100_000,
            **options,
        )

    return serve


def fetched(tmp_path) -> set[str]:
    """The versions that are in the cache."""
    return {file.parent.name for file in (tmp_path / "cache").rglob("saved_model.pb")}


def test_versions_come_and_go(store, serve_m, model_folders, tmp_path):
    running = serve_m()
    running.http.wait_until_ready()
    first = running.http.post(PREDICT, {"inputs": 2.0}).json
    kept = fetched(tmp_path)

    store.put_folder("models", "some/m/2", model_folders / "two" / "2")
    running.http.wait_for("/v1/models/m/versions/1", lambda answer: '"END"' in answer.text)
    second = running.http.post(PREDICT, {"inputs": 2.0}).json

    assert (first, second) == ({"outputs": 3.0}, {"outputs": 4.0})
    assert (kept, fetched(tmp_path)) == ({"1"}, {"2"})


def test_a_store_that_goes_away_unloads_nothing(store, serve_m):
    running = serve_m()
    running.http.wait_until_ready()

    store.buckets["models"].clear()
    asked = len(store.requests)
    running.http.wait_for("/readyz", lambda _answer: len(store.requests) > asked + 2)

    assert running.http.post(PREDICT, {"inputs": 2.0}).json == {"outputs": 3.0}
    assert running.http.get("/readyz").status == 200


def test_a_version_that_is_still_being_copied_is_loaded_when_it_is_whole(store, serve_m):
    index = "some/m/1/variables/variables.index"
    missing = store.buckets["models"].pop(index)
    running = serve_m(max_num_load_retries=1000)
    running.http.wait_until_reason("LoadFailed")

    store.buckets["models"][index] = missing

    running.http.wait_until_ready()


def test_a_version_larger_than_the_cache_is_told(store, serve_m, tmp_path):
    running = serve_m(model_cache_limit_bytes=10, max_num_load_retries=0)

    answer = running.http.wait_until_reason("LoadFailed")

    assert "do not fit beside 0 bytes in the model cache" in answer.json["models"][0]["message"]
    assert fetched(tmp_path) == set()


@pytest.mark.usefixtures("unreachable_s3")
def test_a_store_that_cannot_be_reached_is_told_and_the_others_serve(started, model_folders):
    remote = 'config { name: "far" base_path: "s3://models/far" model_platform: "tensorflow" }'

    running = started(f"{remote} {model_config(model_folders / 'two')}")
    running.http.wait_for("/v1/models/two", lambda answer: '"AVAILABLE"' in answer.text)

    answer = running.http.wait_until_reason("BasePathNotFound")
    assert "Could not list base path s3://models/far" in answer.text


def test_a_file_url_is_a_local_folder(started, model_folders, tmp_path):
    shutil.copytree(model_folders / "two", tmp_path / "m")
    config = model_config(tmp_path / "m").replace(str(tmp_path), f"file://{tmp_path}")

    running = started(config)
    running.http.wait_until_ready()

    assert running.http.post(PREDICT, {"inputs": 2.0}).json == {"outputs": 4.0}


def test_a_password_in_a_base_path_is_refused_and_not_repeated(started):
    config = 'config { name: "m" base_path: "ftp://me:hidden@host/m" model_platform: "tensorflow" }'

    with pytest.raises(ServingError, match="has a password in it") as raised:
        started(config)

    assert "hidden" not in raised.value.message
