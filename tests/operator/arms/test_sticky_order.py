"""Which users change sides when weights do: the hash of a header, modulo 100, falls into a share.

That Envoy shares users so is asked of it itself in tests/router/test_variants.py.
"""

import pytest

from model_operator.domain.manifests import ObjectKey
from model_router.record.objects import record_text
from model_router.record.traffic import parse_record
from rollout_world import change, live, served

RECORD = ObjectKey("ConfigMap", "ranker-traffic")


def weighted(weights):
    return [
        {"name": name, "model": {"version": place + 10}, "weight": weight}
        for place, (name, weight) in enumerate(weights.items())
    ]


def arms_of_users(world):
    """The arm of each of 100 users, as their hashes go; the main model's name is empty."""
    record = parse_record(record_text(world.children[RECORD]))
    arms = {
        name: world.workload(name)["metadata"]["labels"].get("modelfleet.dev/arm", "")
        for name in world.deployments()
    }
    return [arms[share.revision] for share in record.split for _ in range(share.weight)]


def moves(world, **weights):
    """From which arm to which users went when weights were edited."""
    before = arms_of_users(world)
    world.edit(variants=weighted(weights))
    live(world)
    after = arms_of_users(world)
    return [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]


def with_weights(**weights):
    world = served()
    world.edit(variants=weighted(weights))
    live(world)
    return world


@pytest.mark.parametrize(
    ("weights", "moved"),
    [
        pytest.param({"a": 30, "b": 20}, [("", "a")] * 10, id="the first one grows"),
        pytest.param({"a": 20, "b": 30}, [("", "b")] * 10, id="the second one grows"),
        pytest.param({"a": 5, "b": 20}, [("a", "")] * 15, id="the first one shrinks"),
        pytest.param({"a": 20, "b": 0}, [("b", "")] * 20, id="the second one is switched off"),
        pytest.param({"a": 20}, [("b", "")] * 20, id="the second one is removed"),
        pytest.param({"a": 20, "b": 20, "c": 7}, [("", "c")] * 7, id="a third one is appended"),
    ],
)
def test_users_move_between_the_main_model_and_the_variant_that_is_changed(weights, moved):
    world = with_weights(a=20, b=20)

    assert moves(world, **weights) == moved


def test_no_user_of_a_variant_moves_while_the_main_model_changes_its_version():
    world = with_weights(a=20, b=20)
    before = arms_of_users(world)

    change(world)

    assert arms_of_users(world) == before


def test_no_user_of_a_variant_moves_when_its_version_changes():
    world = with_weights(a=20, b=20)
    before = arms_of_users(world)
    world.edit(
        variants=[item | {"model": {"version": 30}} for item in weighted({"a": 20, "b": 20})]
    )
    live(world)

    assert arms_of_users(world) == before
