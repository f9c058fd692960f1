"""What a router remembers, and finds again after its restart."""

from __future__ import annotations

import json
import shutil

import pytest

from model_router.record.endpoints import Endpoint
from model_router.state.kept import ENDPOINTS, RECORDS, KeptState
from router.objects import record


def text(name="m", **changes):
    return json.dumps(record(name, (20000, 20001), {"m-a": 100}, **changes)).encode()


PODS = json.dumps(
    {
        "schema": 1,
        "revision": "m-a",
        "endpoints": [{"address": "10.0.0.1", "grpcPort": 8500, "restPort": 8501}],
    }
).encode()


@pytest.fixture
def state(tmp_path):
    kept = KeptState(tmp_path)
    kept.put_record("m", text())
    kept.put_endpoints("m-a", PODS)
    return kept


def test_what_was_taken_is_there_after_a_restart(state, tmp_path):
    after = KeptState(tmp_path).snapshot()

    assert after == state.snapshot()
    assert after.endpoints == {"m-a": (Endpoint("10.0.0.1", 8500, 8501),)}
    assert after.records["m"].timeout.total_seconds() == 5


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b"{", "document: not JSON"),
        (text(schema=2), "schema: is 2, this router reads 1"),
        (text("other"), "name: is 'other', the ConfigMap's 'm'"),
    ],
)
def test_a_bad_record_leaves_the_last_good_one_also_for_the_next_start(
    state, tmp_path, bad, problem
):
    before = state.snapshot().records
    state.put_record("m", bad)
    state.put_record("good", text("good"))

    assert state.snapshot().records["m"] == before["m"]
    assert state.snapshot().problems["records/m.json"].startswith(problem)
    assert KeptState(tmp_path).snapshot().records == state.snapshot().records


def test_a_record_that_is_put_right_is_no_problem_any_more(state):
    state.put_record("m", b"{")
    state.put_record("m", text())

    assert state.snapshot().problems == {}


def test_what_is_removed_is_gone_for_good(state, tmp_path):
    state.remove(RECORDS, "m")
    state.remove(ENDPOINTS, "m-a")

    assert state.snapshot() == KeptState(tmp_path).snapshot()
    assert state.snapshot().records == state.snapshot().endpoints == {}


def test_only_what_is_listed_stays(state, tmp_path):
    state.put_record("gone", text("gone"))
    state.put_record("bad", b"{")
    (tmp_path / "records" / "broken.json").write_text("{")

    state.keep_only(RECORDS, {"m"})

    assert set(state.snapshot().records) == {"m"}
    assert state.snapshot().problems == {}
    assert set(state.snapshot().endpoints) == {"m-a"}
    assert [path.name for path in (tmp_path / "records").iterdir()] == ["m.json"]


def test_a_copy_that_broke_on_disk_is_written_anew(tmp_path, state):
    (tmp_path / "records" / "m.json").write_text("{")

    again = KeptState(tmp_path)
    again.put_record("m", text())

    assert KeptState(tmp_path).snapshot().records == state.snapshot().records


def test_a_disk_that_takes_nothing_stops_no_traffic(state, tmp_path, caplog):
    shutil.rmtree(tmp_path)

    state.put_record("m", text(timeoutSeconds=9))
    state.remove(ENDPOINTS, "m-a")

    assert state.snapshot().records["m"].timeout.total_seconds() == 9
    assert "is used, but not kept for the next start" in caplog.text
