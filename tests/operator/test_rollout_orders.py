"""A change by steps under orders of users: abort, retry, promote, rollback, revert."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.wish.spec import identify
from model_operator.plan.plan import plan_for_invalid
from rollout_world import change, live, pass_time, promoted, replicas, served


def test_a_canary_goes_through_its_steps_and_is_promoted():
    world = served()
    old, new = change(world)
    seen = [(world.weights(), replicas(world, old), replicas(world, new))]
    for _ in range(2):
        pass_time(world, seconds=60)
        seen.append((world.weights(), replicas(world, old), replicas(world, new)))

    assert seen == [
        ({old: 90, new: 10}, 4, 1),
        ({old: 50, new: 50}, 4, 2),
        ({old: 0, new: 100}, 4, 4),
    ]
    assert world.stable() == new
    assert world.condition("Ready")["status"] == "True"
    assert "candidate" not in world.body["status"]


def test_an_abort_returns_all_requests_and_keeps_the_pods_for_a_look():
    world = served()
    old, new = change(world)
    world.annotate(abort=new)

    live(world)
    kept = world.deployments()
    pass_time(world, seconds=30)

    assert kept == sorted([old, new])
    assert world.weights() == {old: 100}
    assert world.deployments() == [old]
    assert world.condition("Stalled")["reason"] == "Aborted"
    assert world.condition("Ready")["status"] == "False"
    assert world.plan().again_at is not None
    [aborted] = [item for item in world.body["status"]["revisions"] if item["name"] == new]
    assert aborted["aborted"] is True


def test_an_aborted_revision_stays_so_until_it_is_retried():
    world = served()
    old, new = change(world)
    world.annotate(abort=new)
    live(world)
    pass_time(world, days=1)
    stays = world.weights()
    world.annotate(retry=new)
    live(world)

    assert stays == {old: 100}
    assert world.weights() == {old: 90, new: 10}


def test_an_order_works_once():
    world = served()
    old, new = change(world)
    world.annotate(abort=new)
    live(world)
    world.annotate(retry=f"{new}/first")
    live(world)
    world.annotate(abort=f"{new}/again")
    live(world)
    aborted = world.weights()
    world.annotate(retry=f"{new}/second")
    live(world)

    assert aborted[old] == 100
    assert world.weights() == {old: 90, new: 10}


def test_a_promoted_canary_skips_its_steps():
    world = served()
    _, new = change(world)
    world.annotate(promote=new)

    live(world)

    assert world.weights()[new] == 100
    assert world.stable() == new


def test_a_pause_lasts_until_somebody_promotes_past_it():
    world = served(steps=[{"weight": 10, "pause": True}, {"weight": 50, "holdSeconds": 60}])
    old, new = change(world)
    pass_time(world, days=3)
    paused = world.condition("Paused")
    world.annotate(promote=f"{new}/1")
    live(world)

    assert paused["status"] == "True"
    assert "modelfleet.dev/promote" in paused["message"]
    assert world.weights() == {old: 50, new: 50}
    assert world.condition("Paused")["status"] == "absent"


@pytest.mark.parametrize("command", ["abort", "promote", "retry", "rollback"])
def test_an_order_about_a_revision_that_is_not_there_does_nothing_and_says_so(command):
    world = served()
    old, new = change(world)
    world.annotate(**{command: "ranker-0000000000"})

    plan = world.step()
    live(world)

    assert [item.reason for item in plan.announcements] == ["CommandIgnored"]
    assert world.weights() == {old: 90, new: 10}
    assert world.plan().announcements == ()


def test_a_revert_before_the_end_goes_back_at_once():
    world = served()
    old, _ = change(world)
    world.edit(model={"version": 1})

    world.step()

    assert world.weights()[old] == 100
    assert world.condition("Ready")["status"] == "True"


def test_a_revert_while_the_former_revision_is_warm_takes_one_pass():
    world, old, new = promoted()
    world.wait(seconds=299)
    world.edit(model={"version": 1})

    world.step()

    assert world.weights() == {old: 100, new: 0}
    assert world.stable() == old


def test_the_former_revision_goes_when_it_is_no_longer_kept_warm():
    world, old, new = promoted()
    [former] = [item for item in world.body["status"]["revisions"] if item["name"] == old]
    again_at = world.plan().again_at
    pass_time(world, seconds=301)

    assert former["warmUntil"] == "2026-01-01T12:05:00Z"
    assert again_at is not None
    assert world.deployments() == [new]
    assert world.weights() == {new: 100}


def test_a_former_revision_that_is_warm_stands_in_and_is_warm_no_longer_by_that():
    world, old, new = promoted()
    [before] = [item for item in world.body["status"]["revisions"] if item["name"] == old]
    world.make_ready(new, 0)
    world.edit(model={"version": 3})

    world.step()
    standing_in = world.weights()[old]
    [after] = [item for item in world.body["status"]["revisions"] if item["name"] == old]

    assert standing_in == 100
    assert world.stable() == new
    assert after["warmUntil"] == before["warmUntil"]


def test_a_revert_to_a_revision_that_is_cold_goes_by_steps():
    world, old, new = promoted()
    pass_time(world, seconds=301)
    world.edit(model={"version": 1})
    live(world)

    assert world.weights() == {old: 10, new: 90}


def test_a_candidate_that_another_took_the_place_of_begins_anew_when_it_is_asked_for_again():
    world = served()
    old, new = change(world)
    world.edit(model={"version": 3})
    live(world)
    [former] = [item for item in world.body["status"]["revisions"] if item["name"] == new]
    world.edit(model={"version": 2})
    live(world)

    assert former["drainsUntil"] == "2026-01-01T12:00:10Z"
    assert "warmUntil" not in former
    assert world.weights()[new] == 10
    assert world.stable() == old


def test_a_rollback_serves_an_earlier_revision_without_steps_until_the_spec_changes():
    world, old, new = promoted()
    pass_time(world, seconds=301)
    world.annotate(rollback=old)
    live(world)
    back = world.weights()
    pass_time(world, days=1)
    stays = world.weights()
    world.edit(model={"version": 3})
    live(world)

    assert back == {old: 100, new: 0}
    assert stays == {old: 100}
    assert world.weights() == {old: 90, world.candidate(): 10}
    assert "rollback" not in world.body["status"]


def test_a_rollback_that_has_ended_is_ordered_again_by_a_text_of_its_own():
    world, old, _ = promoted()
    world.annotate(rollback=old)
    live(world)
    world.edit(model={"version": 3})
    live(world)
    world.annotate(promote=world.candidate())
    live(world)
    went_on = world.stable()

    world.annotate(rollback=f"{old}/again")
    live(world)

    assert went_on != old
    assert world.stable() == old


def test_more_replicas_do_not_end_a_rollback():
    world, old, _ = promoted()
    world.annotate(rollback=old)
    live(world)
    world.edit(replicas=5)
    live(world)

    assert world.stable() == old
    assert world.weights()[old] == 100


def test_a_mistake_in_the_spec_neither_moves_requests_nor_forgets_an_abort():
    world = served()
    old, new = change(world)
    world.annotate(abort=new)
    live(world)
    error = InvalidSpec("spec.model.uri", "is wrong")
    plan = plan_for_invalid(identify(world.body), error, world.observe(), world.now)
    world.body["status"] = plan.status
    live(world)

    assert plan.apply == ()
    assert world.weights()[old] == 100
    assert world.condition("Stalled")["reason"] == "Aborted"
