"""A shadow beside a main model: it gets copies, and whatever becomes of it changes nothing else."""

import pytest

from model_operator.domain.manifests import ObjectKey
from model_router.record.objects import record_text
from model_router.record.traffic import Shadow, parse_record
from rollout_world import change, live, pass_time, served

RECORD = ObjectKey("ConfigMap", "ranker-traffic")
SHADOW = {"model": {"version": 10}, "percent": 10}


def record(world):
    return parse_record(record_text(world.children[RECORD]))


def shadowed(**rollout):
    world = served(**rollout)
    world.edit(shadow=SHADOW)
    live(world)
    return world


def test_a_shadow_gets_copies_when_it_is_ready_and_no_requests_ever():
    world = served()
    main = world.stable()
    world.edit(shadow=SHADOW)
    world.step()
    before = record(world).shadow
    live(world)
    revision = world.body["status"]["shadow"]["revision"]

    assert before is None
    assert record(world).shadow == Shadow(revision, 10)
    assert record(world).answering == (main,)
    assert world.weights() == {main: 100}
    assert [item["revision"] for item in world.body["status"]["traffic"]] == [main]
    assert world.body["status"]["shadow"] == {"revision": revision, "version": 10}
    assert {"name": revision, "variant": "shadow"}.items() <= {
        key: value
        for item in world.body["status"]["revisions"]
        for key, value in item.items()
        if item["name"] == revision
    }.items()


@pytest.mark.parametrize("seconds", [0, 6000])
def test_a_shadow_that_does_not_get_ready_troubles_nobody(seconds):
    world = served()
    world.edit(shadow=SHADOW)
    world.step()
    revision = world.body["status"]["shadow"]["candidate"]["revision"]
    live(world, revision)
    world.wait(seconds=seconds)
    live(world, revision)

    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Stalled")["status"] == "absent"
    assert world.body["status"]["shadow"]["message"] == "version 10 waits for 1 ready replica" + (
        " since more than 600 s" if seconds else ""
    )


def test_a_shadow_never_stands_in_for_the_main_model():
    world = shadowed()
    world.make_ready(world.stable(), 0)
    world.settle()

    assert world.weights() == {world.stable(): 100}
    assert world.condition("Available")["status"] == "False"


def test_a_shadow_that_loses_its_pods_gets_no_copies():
    world = shadowed()
    world.make_ready(world.body["status"]["shadow"]["revision"], 0)
    world.settle()

    assert record(world).shadow is None


def test_a_rollout_goes_on_beside_a_shadow():
    world = shadowed()
    old, new = change(world)
    weights = world.weights()
    for _ in range(2):
        pass_time(world, seconds=60)

    assert weights == {old: 90, new: 10}
    assert world.stable() == new
    assert record(world).shadow is not None


def test_another_version_of_the_shadow_takes_its_copies_over():
    world = shadowed()
    old = world.body["status"]["shadow"]["revision"]
    world.edit(shadow=SHADOW | {"model": {"version": 11}})
    live(world)
    new = world.body["status"]["shadow"]["revision"]
    pass_time(world, seconds=10)

    assert record(world).shadow == Shadow(new, 10)
    assert old not in world.deployments()


def test_a_shadow_that_is_removed_goes():
    world = shadowed()
    world.edit(shadow=None)
    world.step()
    copies = record(world).shadow
    live(world)
    stays = len(world.deployments())
    pass_time(world, seconds=10)

    assert copies is None
    assert stays == 2
    assert world.deployments() == [world.stable()]
    assert "shadow" not in world.body["status"]


def test_a_shadow_of_no_copies_runs_and_waits():
    world = served()
    world.edit(shadow=SHADOW | {"percent": 0})
    live(world)

    assert record(world).shadow is None
    assert len(world.deployments()) == 2
