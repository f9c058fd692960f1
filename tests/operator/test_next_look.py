"""When a pass asks to be made again though nothing happens: what no watch will tell."""

import pytest

from model_operator.domain.manifests import ObjectKey
from model_operator.domain.seen.observed import Routing
from model_operator.domain.seen.pods import Pod
from rollout_world import PORTS, served
from simulated_world import NOON


def seconds_until_next_look(world):
    return (world.plan().again_at - world.now).total_seconds()


def test_a_name_that_somebody_else_has_may_become_free(world):
    world.foreign = frozenset({ObjectKey("Service", "ranker")})
    world.settle()

    assert seconds_until_next_look(world) == 60


def test_a_change_that_is_late_may_get_there_after_all(world):
    world.settle()
    world.wait(minutes=11)
    world.settle()

    assert seconds_until_next_look(world) == 60


def test_a_pod_whose_containers_are_not_made_is_looked_at_when_it_should_have_them(world):
    world.settle()
    world.pods = (Pod("p", world.candidate(), "", False, False, None, waits_since=NOON),)

    assert seconds_until_next_look(world) == 20


def test_an_old_revision_that_stopped_answering_is_given_up_after_a_minute(serving):
    serving.edit(model={"version": 2})
    serving.settle()
    serving.make_ready(serving.stable(), 0)
    serving.settle()

    assert seconds_until_next_look(serving) == 60


@pytest.mark.parametrize(
    ("programmed", "seconds"),
    [
        pytest.param(None, 60, id="they are silent"),
        pytest.param(0, 2, id="they do something else"),
    ],
)
def test_routers_are_asked_until_they_do_what_is_wanted(programmed, seconds):
    world = served()
    weights = None if programmed is None else {world.stable(): programmed, "former": 100}
    world.routing = Routing(PORTS, weights)
    world.settle()

    assert seconds_until_next_look(world) == seconds
