"""Which share of the requests revisions really had, and when that is not as it should be."""

import pytest

from model_operator.domain.evidence.counts import Tally, Told
from model_operator.domain.seen.observed import Routing
from rollout_world import PORTS, change, live, served


@pytest.fixture
def world():
    """A rollout by time alone whose candidate is to have 10 %."""
    world = served()
    change(world)
    return world


def router(world, stable, candidate, name="r-1"):
    tallies = {world.stable(): Tally(stable), world.candidate(): Tally(candidate)}
    return Told(name, "1", world.weights(), tallies)


def hear(world, *told):
    world.routing = Routing(PORTS, told=told)
    live(world)


def observed(world):
    found = {item["revision"]: item.get("observed") for item in world.body["status"]["traffic"]}
    return found[world.stable()], found[world.candidate()]


def test_what_requests_really_did_is_in_the_status(world):
    hear(world, router(world, 9520, 480))

    assert observed(world) == (95.2, 4.8)


def test_the_requests_of_all_routers_count(world):
    hear(world, router(world, 90, 10), router(world, 60, 40, "r-2"))

    assert observed(world) == (75, 25)


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([], id="no router"),
        pytest.param([Told("r-1", trouble="does not answer")], id="a silent one"),
        pytest.param([Told("r-1", "1", {"other": 100}, {"other": Tally(9)})], id="other weights"),
    ],
)
def test_what_nobody_tells_is_absent(world, told):
    hear(world, *told)

    assert observed(world) == (None, None)


def test_while_one_router_is_silent_nothing_is_observed(world):
    hear(world, router(world, 900, 100), Told("r-2", trouble="does not answer"))

    assert observed(world) == (None, None)


def test_a_share_that_hardly_moves_is_not_written_again(world):
    hear(world, router(world, 9520, 480))
    world.routing = Routing(PORTS, told=(router(world, 95_490, 4510),))

    assert world.plan().status is None


@pytest.mark.parametrize(
    ("stable", "candidate", "is_skewed"),
    [
        pytest.param(900, 100, False, id="as wanted"),
        pytest.param(850, 150, False, id="5 points off"),
        pytest.param(840, 160, True, id="6 points off"),
        pytest.param(1000, 0, True, id="none at all"),
        pytest.param(399, 600, False, id="far off in too few requests"),
    ],
)
def test_a_condition_tells_when_shares_stray(world, stable, candidate, is_skewed):
    hear(world, router(world, stable, candidate))

    assert world.condition("Skewed")["status"] == ("True" if is_skewed else "absent")


def test_the_condition_names_the_revisions_and_an_event_tells_it_once(world):
    old, new = world.stable(), world.candidate()
    world.routing = Routing(PORTS, told=(router(world, 500, 500),))

    first = world.step()
    world.routing = Routing(PORTS, told=(router(world, 1000, 1500),))
    second = world.step()

    words = "by more than 5 points: "
    parts = [f"{old} gets less than its 90 %", f"{new} gets more than its 10 %"]
    assert world.condition("Skewed")["message"] == (
        f"{words}{', '.join(sorted(parts))}; see status.traffic"
    )
    assert [event.reason for event in first.announcements] == ["TrafficStrays"]
    assert second.announcements == ()
    assert second.is_only_requests


def test_while_several_revisions_get_requests_they_are_counted_now_and_then(world):
    world.annotate(promote=world.candidate() + "/1")
    live(world)
    hear(world, router(world, 500, 500))

    assert (world.plan().again_at - world.now).total_seconds() <= 30
