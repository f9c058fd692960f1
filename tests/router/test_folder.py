"""What is read from the folder of records and endpoints while others write to it."""

from __future__ import annotations

import json
import shutil

import pytest

from model_router.record.endpoints import Endpoint
from model_router.state.folder import StateFolder


def record(name, **changes):
    document = {
        "schema": 1,
        "name": name,
        "ports": {"grpc": 20000, "rest": 20001},
        "timeoutSeconds": 30,
        "split": [{"revision": f"{name}-a", "weight": 100}],
    }
    return json.dumps(document | changes)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "records").mkdir()
    (tmp_path / "endpoints").mkdir()
    (tmp_path / "records" / "good.json").write_text(record("good"))
    return tmp_path


@pytest.fixture
def state(folder):
    return StateFolder(folder)


def test_records_and_endpoints_are_found_by_name(folder, state):
    pod = {"address": "10.0.0.1", "grpcPort": 8500, "restPort": 8501}
    document = {"schema": 1, "revision": "good-a", "endpoints": [pod]}
    (folder / "endpoints" / "good-a.json").write_text(json.dumps(document))

    snapshot = state.read()

    assert set(snapshot.records) == {"good"}
    assert snapshot.endpoints == {"good-a": (Endpoint("10.0.0.1", 8500, 8501),)}
    assert snapshot.problems == {}


def test_a_bad_record_hides_no_other(folder, state):
    (folder / "records" / "bad.json").write_text("{")

    snapshot = state.read()

    assert set(snapshot.records) == {"good"}
    assert list(snapshot.problems) == ["records/bad.json"]


def test_a_record_that_turns_bad_keeps_its_last_good_content(folder, state):
    before = state.read().records["good"]
    (folder / "records" / "good.json").write_text(record("good", schema=2))

    snapshot = state.read()

    assert snapshot.records == {"good": before}
    assert snapshot.problems["records/good.json"].startswith("schema: is 2, this router reads 1")


def test_a_record_that_is_put_right_has_no_problem_any_more(folder, state):
    (folder / "records" / "good.json").write_text("{")
    state.read()
    (folder / "records" / "good.json").write_text(record("good", timeoutSeconds=7))

    snapshot = state.read()

    assert snapshot.records["good"].timeout.total_seconds() == 7
    assert snapshot.problems == {}


def test_a_record_under_another_name_than_its_file_is_refused(folder, state):
    (folder / "records" / "other.json").write_text(record("good"))

    snapshot = state.read()

    assert snapshot.problems == {"records/other.json": "name: is 'good', the file's 'other'"}


def test_a_removed_record_is_gone(folder, state):
    state.read()
    (folder / "records" / "good.json").unlink()

    assert state.read().records == {}


def test_a_folder_that_is_gone_ends_no_traffic(folder, state):
    before = state.read()
    shutil.rmtree(folder / "records")

    assert state.read().records == before.records


def test_a_folder_in_place_of_a_file_is_a_problem_and_no_crash(folder, state):
    (folder / "records" / "odd.json").mkdir()

    snapshot = state.read()

    assert set(snapshot.records) == {"good"}
    assert list(snapshot.problems) == ["records/odd.json"]
