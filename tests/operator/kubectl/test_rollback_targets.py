"""Which revision `kubectl modelfleet rollback` takes, and what `history` tells of each."""

from datetime import UTC, datetime, timedelta

import pytest

from kubectl_modelfleet.seen.deployment import read_deployment
from kubectl_modelfleet.seen.history import read_history
from kubectl_modelfleet.steering.errors import Refused
from kubectl_modelfleet.steering.rollback import former_target, named_target, target_of_version
from kubectl_modelfleet.tree.history import COLUMNS, aligned, rows_of
from rollout_world import change, live, pass_time, promoted, served


def remembered(world):
    """The ControllerRevisions as the API server has them."""
    kept = [body for key, body in world.children.items() if key.kind == "ControllerRevision"]
    return read_history(kept)


def former(world):
    return former_target(read_deployment(world.body), remembered(world))


def after_three_versions():
    world, old, middle = promoted()
    pass_time(world, seconds=301)
    world.edit(model={"version": 3})
    live(world)
    world.annotate(promote=world.candidate())
    live(world)
    return world, old, middle


def test_the_one_that_is_warm_is_the_former_one():
    world, _, middle = after_three_versions()

    assert former(world) == middle


def test_the_only_other_one_is_the_former_one():
    world, old, _ = promoted()
    pass_time(world, seconds=301)

    assert former(world) == old


def test_where_several_may_be_meant_the_user_names_one():
    world, old, middle = after_three_versions()
    pass_time(world, seconds=301)

    with pytest.raises(Refused, match="several") as refused:
        former(world)

    assert refused.value.hint == (
        f"name one by --to: {world.stable()} (version 3), {middle} (version 2), {old} (version 1)"
    )


def test_one_that_was_aborted_is_never_taken_for_the_former_one():
    world = served()
    _, new = change(world)
    world.annotate(abort=new)
    live(world)

    with pytest.raises(Refused):
        former(world)


def test_a_candidate_on_its_way_is_aborted_and_not_rolled_back():
    world = served()
    change(world)

    with pytest.raises(Refused, match="is on its way") as refused:
        former(world)

    assert "abort ranker" in refused.value.hint


def test_without_a_history_there_is_nothing_to_roll_back_to():
    with pytest.raises(Refused, match="no earlier revision"):
        former(served())


def test_a_revision_is_found_by_its_name_or_its_version():
    world, old, _ = promoted()

    assert named_target(remembered(world), old) == old
    assert target_of_version(remembered(world), 1) == old


def test_a_name_that_is_not_there_is_answered_by_those_alike():
    world, old, _ = promoted()

    with pytest.raises(Refused) as refused:
        named_target(remembered(world), old[:-1])

    assert f"did you mean {old}" in refused.value.hint


def test_a_version_that_is_not_there_or_not_alone_is_refused_with_the_choice():
    world, _, _ = promoted()
    with pytest.raises(Refused, match="no revision has version 7"):
        target_of_version(remembered(world), 7)
    world.edit(serving={"args": ["--enable_profiler"]})
    live(world)

    with pytest.raises(Refused, match="2 revisions have version 2") as refused:
        target_of_version(remembered(world), 2)

    assert world.candidate() in refused.value.hint


def test_the_history_tells_what_each_revision_is_now():
    world, old, new = promoted()
    world.edit(model={"version": 3})
    live(world)
    world.annotate(abort=world.candidate())
    live(world)
    bodies = [body for key, body in world.children.items() if key.kind == "ControllerRevision"]
    for body in bodies:
        body["metadata"]["creationTimestamp"] = "2026-01-01T09:00:00Z"

    now = world.now + timedelta(seconds=60)
    rows = rows_of(read_deployment(world.body), read_history(bodies), now)

    assert rows == [
        (world.candidate(), "3", "aborted", "1/1", "3h1m"),
        (new, "2", "stable", "4/4", "3h1m"),
        (old, "1", "warm for 4m0s", "4/4", "3h1m"),
    ]


def test_the_history_of_a_rollback_says_where_it_went_and_what_the_spec_asks_for():
    world, old, new = promoted()
    world.annotate(rollback=old)
    live(world)

    rows = rows_of(read_deployment(world.body), remembered(world), datetime(2026, 1, 2, tzinfo=UTC))

    assert {row[0]: row[2] for row in rows} == {old: "stable, rolled back to", new: "in spec"}


def test_revisions_of_variants_are_no_targets():
    world, old, _ = promoted()
    world.edit(variants=[{"name": "big", "model": {"version": 9}, "weight": 20}])
    live(world)

    assert [item.version for item in remembered(world)] == [2, 1]
    assert former(world) == old


def test_columns_are_aligned_as_kubectl_does():
    assert aligned([COLUMNS[:2], ("ranker-1", "7")]) == ["REVISION   VERSION", "ranker-1   7"]
