"""A model that is divided among pods, on a real cluster, under callers that never stop."""

from collections.abc import Iterator
from typing import Any

import pytest

from e2e import divided_model
from installed import Installed, eventually
from steered import Applied, Steered, models_folder, steered

pytestmark = pytest.mark.cluster

SHARDING = {"sharding": {"shards": 2}}
_WITHIN = 300.0


@pytest.fixture(scope="module")
def live(installed: Installed) -> Iterator[Steered]:
    """Two groups of two members that serve version 1, and their callers."""
    for version in (1, 2):
        divided_model.save(models_folder(installed) / "divided", version)
    applied = Applied(installed, "divided", "divided")
    with steered(applied, version=1, **SHARDING) as running:
        yield running


def groups(live: Steered) -> dict[str, dict[str, Any]]:
    """The StatefulSets' status, by name."""
    found = live.installed.get("statefulsets", "-l", f"modelfleet.dev/deployment={live.name}")
    return {item["metadata"]["name"]: item["status"] for item in found["items"]}


def uid(live: Steered, pod: str) -> str:
    """Which pod of that name there is; empty while there is none."""
    found = live.installed.get("pods", "-l", f"modelfleet.dev/deployment={live.name}")["items"]
    return next((p["metadata"]["uid"] for p in found if p["metadata"]["name"] == pod), "")


def are_whole(live: Steered) -> bool:
    return all(status.get("readyReplicas") == 2 for status in groups(live).values())


def test_a_group_that_loses_a_member_fails_no_request_and_heals(live: Steered) -> None:
    before, [first, _] = live.calls.came, sorted(groups(live))
    kept, lost = uid(live, f"{first}-0"), uid(live, f"{first}-1")

    live.installed.kubectl("delete", "pod", f"{first}-1", "--force", "--grace-period=0")
    eventually(lambda: uid(live, f"{first}-1") not in ("", lost))
    eventually(lambda: are_whole(live), within=_WITHIN)
    live.more(100)

    came = live.calls.came.since(before)
    assert not came.failures
    # Each of x = 0 to 9 was answered as the whole model does, whose answer tells the version.
    assert came.of(1) == came.requests
    assert uid(live, f"{first}-0") == kept


def test_a_new_version_takes_over_by_whole_groups(live: Steered) -> None:
    before, former = live.calls.came, set(groups(live))

    live.ask_for(2, **SHARDING)
    eventually(lambda: live.weights() == {1: 50, 2: 50}, within=_WITHIN)
    shared, halfway = live.more(200), set(groups(live)) - former
    live.order("promote", live.candidate())
    live.reaches(v2=100)
    promoted = live.more(100)

    came = live.calls.came.since(before)
    assert not came.failures
    assert came.of(1) + came.of(2) == came.requests
    assert shared.of(1) > 0
    assert shared.of(2) > 0
    assert len(halfway) == 1
    assert promoted.of(2) == promoted.requests
    assert len(set(groups(live)) - former) == 2
