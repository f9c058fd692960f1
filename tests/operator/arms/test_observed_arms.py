"""What variants really got of the requests stands beside what they were to get."""

from model_operator.domain.evidence.counts import Tally, Told
from model_operator.domain.seen.observed import Routing
from rollout_world import PORTS, live, served

MATCH = [{"header": "x-cohort", "exact": "t"}]


def shared_with(*variants, shadow=None):
    world = served()
    world.edit(variants=list(variants), shadow=shadow)
    live(world)
    return world


def observed(world, **counts):
    """By variant; the main model's name is `main`."""
    names = {item["name"]: item["revision"] for item in world.body["status"]["variants"]}
    names |= {"main": world.stable()}
    names |= {"shadow": (world.body["status"].get("shadow") or {}).get("revision")}
    tallies = {names[name]: Tally(count) for name, count in counts.items()}
    world.routing = Routing(PORTS, told=(Told("r-1", "1", world.weights(), tallies),))
    live(world)
    return {
        item.get("variant", "main"): item.get("observed")
        for item in world.body["status"]["traffic"]
    }


def test_a_variant_with_a_weight():
    world = shared_with({"name": "big", "model": {"version": 9}, "weight": 20})

    assert observed(world, main=790, big=210) == {"main": 79, "big": 21}
    assert world.condition("Skewed")["status"] == "absent"


def test_a_variant_that_headers_choose():
    world = shared_with({"name": "testers", "model": {"version": 9}, "match": MATCH})

    assert world.observe().is_shared
    assert observed(world, main=900, testers=100) == {"main": 90, "testers": 10}
    assert world.condition("Skewed")["status"] == "absent"


def test_copies_for_the_shadow_do_not_count():
    shadow = {"model": {"version": 10}, "percent": 100}
    world = shared_with({"name": "big", "model": {"version": 9}, "weight": 20}, shadow=shadow)

    assert observed(world, main=80, big=20, shadow=100) == {"main": 80, "big": 20}


def test_an_event_tells_once_that_a_variant_gets_its_requests():
    world = served()
    world.edit(variants=[{"name": "big", "model": {"version": 9}, "weight": 20}])
    world.step()
    (big,) = [item["candidate"]["revision"] for item in world.body["status"]["variants"]]
    world.make_ready(big, 1)

    told = [said for _ in range(3) for said in world.step().announcements]

    assert [(said.reason, said.message) for said in told] == [
        ("RevisionServing", f"variant big: version 9 (revision {big}) gets its requests")
    ]
