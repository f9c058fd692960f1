"""Whole rollouts that are analysed, pass by pass, by what routers tell."""

from dataclasses import replace

import pytest

from model_operator.domain.evidence.counts import Tally, Told
from model_operator.domain.seen.observed import Routing
from model_operator.plan.analysis.stretch import Stretches
from rollout_world import PORTS, change, live, pass_time, served

GOOD = Tally(500, 1, 0, {12.0: 499})
BAD = Tally(412, 13, 2, {12.0: 399})
STABLE = Tally(4000, 4, 0, {11.0: 3996})


def routed(world, *told):
    world.routing = Routing(PORTS, told=told)
    live(world)


def router(world, name="r-1", epoch="1", split=None, **tallies):
    """What a router tells that holds to the weights."""
    revisions = {world.stable(): tallies.get("stable", STABLE)}
    revisions[world.candidate()] = tallies.get("candidate", GOOD)
    return Told(name, epoch, world.weights() if split is None else split, revisions)


@pytest.fixture
def world():
    """A rollout at its first step, of which nothing has been counted yet."""
    world = served(analysis={"maxErrorPercentAboveStable": 1, "maxP99Milliseconds": 50})
    change(world)
    return world


def candidate(world):
    return world.body["status"]["candidate"]


def shares(world):
    return {name: weight for name, weight in world.weights().items() if weight}


def test_without_a_word_of_routers_there_is_no_verdict_and_no_more_weight(world):
    pass_time(world, hours=1)

    assert candidate(world)["verdict"] == "Inconclusive"
    assert candidate(world)["analysis"]["message"] == "no router is ready to tell"
    assert candidate(world)["weight"] == 10


def test_a_pass_is_told_with_its_numbers(world):
    routed(world, router(world))

    assert candidate(world)["requests"] == 500
    assert candidate(world)["verdict"] == "Pass"
    assert candidate(world)["analysis"] == {
        "message": "error rate 0.2 % of 500 requests, p99 12 ms",
        "errors": 1,
        "abandoned": 0,
        "errorPercent": 0.2,
        "p99Milliseconds": 12.0,
        "stable": {
            "requests": 4000,
            "errors": 4,
            "abandoned": 0,
            "errorPercent": 0.1,
            "p99Milliseconds": 11.0,
        },
    }


def test_a_pass_and_the_time_of_the_step_together_raise_the_weight(world):
    routed(world, router(world))
    assert candidate(world)["weight"] == 10

    pass_time(world, seconds=61)

    assert candidate(world)["target"] == 50


def test_the_next_step_begins_without_a_verdict_until_routers_tell_of_it(world):
    routed(world, router(world))
    pass_time(world, seconds=61)

    assert candidate(world)["weight"] == 50
    assert candidate(world)["verdict"] == "Inconclusive"
    words = candidate(world)["analysis"]["message"]
    assert words == "router r-1 does not hold to the weights yet"


def test_a_good_version_is_promoted_through_all_steps(world):
    new = world.candidate()
    for _ in range(2):
        routed(world, router(world))
        pass_time(world, seconds=61)

    assert world.stable() == new
    assert shares(world) == {new: 100}


def test_a_bad_version_loses_all_requests_in_the_pass_of_its_verdict(world):
    old = world.stable()
    world.routing = Routing(PORTS, told=(router(world, candidate=BAD),))

    plan = world.step()

    words = "error rate 3.2 % of 412 requests (2 given up by callers), more than 1 %"
    assert shares(world) == {old: 100}
    assert world.condition("Stalled")["reason"] == "AnalysisFailed"
    assert words in world.condition("Stalled")["message"]
    [event] = plan.announcements
    assert event.reason == "AnalysisFailed"
    assert words in event.message


def test_what_it_was_turned_away_for_stays_in_the_status(world):
    routed(world, router(world, candidate=BAD))
    pass_time(world, hours=1)

    assert candidate(world)["verdict"] == "Fail"
    assert candidate(world)["requests"] == 412
    assert candidate(world)["analysis"]["errors"] == 13


def test_counts_of_all_routers_are_added_up(world):
    half = Tally(50, 0, 0, {12.0: 50})
    routed(world, *(router(world, name, candidate=half) for name in ("r-1", "r-2")))

    assert candidate(world)["requests"] == 100
    assert candidate(world)["verdict"] == "Pass"


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("does not answer", "router r-2 does not answer"),
        (
            "is of a release that does not tell its counts",
            "router r-2 is of a release that does not tell its counts",
        ),
    ],
)
def test_one_silent_router_of_two_keeps_a_version_from_passing(world, trouble, words):
    routed(world, router(world), Told("r-2", trouble=trouble))

    assert candidate(world)["verdict"] == "Inconclusive"
    assert candidate(world)["analysis"]["message"] == words


def test_requests_by_other_weights_are_no_evidence(world):
    routed(world, router(world, split={world.stable(): 100}, candidate=BAD))

    assert candidate(world)["verdict"] == "Inconclusive"
    assert candidate(world)["weight"] == 10


def test_without_a_stable_revision_that_answers_a_bad_one_keeps_the_requests(world):
    old, new = world.stable(), world.candidate()
    world.make_ready(old, 0)
    world.step()
    world.routing = Routing(PORTS, told=(router(world, candidate=BAD),))
    world.step()

    assert world.condition("Stalled")["reason"] == "AnalysisFailed"
    assert shares(world) == {new: 100}
    world.make_ready(old, 4)
    world.step()
    assert shares(world) == {old: 100}


def half_way():
    """A world whose candidate has 50 %."""
    world = served(analysis={}, progressDeadlineSeconds=60)
    change(world)
    routed(world, router(world))
    pass_time(world, seconds=61)
    assert candidate(world)["weight"] == 50
    return world


def test_pods_that_crash_at_50_percent_end_it_by_the_requests_that_they_cost():
    world = half_way()
    old, new = world.stable(), world.candidate()
    world.make_ready(new, 0)
    world.routing = Routing(PORTS, told=(router(world, candidate=BAD),))

    world.step()

    assert shares(world) == {old: 100}
    assert world.condition("Stalled")["reason"] == "AnalysisFailed"


def test_pods_that_crash_at_50_percent_without_a_request_end_it_at_the_deadline():
    world = half_way()
    old, new = world.stable(), world.candidate()
    world.make_ready(new, 0)
    world.step()
    assert shares(world) == {old: 100}
    assert candidate(world)["state"] == "Waiting"

    world.wait(seconds=121)
    live(world, new)

    assert world.condition("Stalled")["reason"] == "ProgressDeadlineExceeded"


def test_numbers_alone_are_no_news(world):
    routed(world, router(world))
    world.routing = Routing(PORTS, told=(router(world, candidate=Tally(600, 1, 0, {12: 599})),))

    plan = world.plan()

    assert plan.is_only_requests
    assert not plan.is_only_counts
    assert not plan.announcements


def test_another_verdict_is_news(world):
    routed(world, router(world))
    world.routing = Routing(PORTS, told=(Told("r-1", trouble="does not answer"),))

    assert not world.plan().is_only_requests


def test_while_requests_are_judged_the_next_look_is_soon(world):
    routed(world, router(world))

    assert (world.plan().again_at - world.now).total_seconds() == 1


def test_an_aborted_version_that_is_tried_again_begins_without_a_verdict(world):
    new = world.candidate()
    routed(world, router(world, candidate=BAD))
    world.annotate(retry=new)
    routed(world, router(world, candidate=Tally()))

    assert candidate(world)["state"] == "Holding"
    assert candidate(world)["weight"] == 10
    assert candidate(world)["verdict"] == "Inconclusive"


def test_at_a_deadline_without_a_verdict_a_user_is_asked_if_they_want_to():
    world = served(analysis={"onInconclusive": "Pause"}, progressDeadlineSeconds=60)
    _, new = change(world)
    pass_time(world, seconds=121)

    assert world.condition("Paused")["status"] == "True"
    assert world.condition("Ready")["reason"] == "AnalysisInconclusive"
    world.annotate(promote=new)
    live(world)
    assert world.stable() == new


class Judged:
    """A world in which earlier requests are not held against a candidate twice."""

    def __init__(self, **analysis):
        self.world = served(analysis=analysis)
        change(self.world)
        self.stretches = Stretches()

    def hears(self, *told):
        world = self.world
        fresh = self.stretches.fresh("shop/ranker", world.body["status"], told)
        world.routing = Routing(PORTS, told=fresh)
        world.step()


def test_a_second_bad_verdict_takes_bad_requests_of_its_own():
    judged = Judged(failureLimit=2)
    told = router(judged.world, candidate=BAD)
    for _ in range(5):
        judged.hears(told)

    assert candidate(judged.world)["badVerdicts"] == 1
    assert candidate(judged.world)["verdict"] == "Inconclusive"
    assert candidate(judged.world)["analysis"]["message"] == "0 of 100 requests"

    judged.hears(replace(told, tallies=told.tallies | {judged.world.candidate(): BAD + BAD}))

    assert candidate(judged.world)["abort"]["reason"] == "AnalysisFailed"


def test_good_requests_after_a_bad_verdict_are_a_pass():
    judged = Judged(failureLimit=2)
    told = router(judged.world, candidate=BAD)
    judged.hears(told)
    judged.hears(told)
    judged.hears(replace(told, tallies=told.tallies | {judged.world.candidate(): BAD + GOOD}))

    assert candidate(judged.world)["verdict"] == "Pass"
    assert candidate(judged.world)["requests"] == GOOD.requests


def test_an_operator_that_comes_anew_judges_what_comes_from_then_on():
    judged = Judged(failureLimit=2)
    told = router(judged.world, candidate=BAD)
    judged.hears(told)
    judged.stretches = Stretches()
    judged.hears(told)

    assert candidate(judged.world)["badVerdicts"] == 1
    assert candidate(judged.world)["requests"] == 0


def test_an_envoy_that_comes_anew_counts_from_0():
    judged = Judged(failureLimit=2)
    told = router(judged.world, candidate=BAD)
    judged.hears(told)
    judged.hears(told)
    judged.hears(router(judged.world, epoch="2", candidate=Tally(99, 0, 0, {12.0: 99})))

    assert candidate(judged.world)["requests"] == 99


def test_an_event_tells_of_each_step_that_is_passed_and_of_each_bad_verdict():
    judged = Judged(failureLimit=2)
    world = judged.world
    world.routing = Routing(PORTS, told=(router(world, candidate=BAD),))
    bad = world.step()
    world.routing = Routing(PORTS, told=(router(world),))
    world.step()
    world.wait(seconds=61)
    good = world.step()

    told = [(event.reason, event.message) for event in (*bad.announcements, *good.announcements)]
    version = f"version 2 (revision {world.candidate()}) at 10 %"
    assert told == [
        (
            "BadVerdict",
            f"{version}: error rate 3.2 % of 412 requests (2 given up by callers), more than 1 %",
        ),
        ("StepPassed", f"{version}: error rate 0.2 % of 500 requests, p99 12 ms"),
    ]


def test_a_way_back_is_not_judged():
    world = served(analysis={})
    old, new = change(world)
    world.annotate(promote=new)
    live(world)
    pass_time(world, hours=1)
    world.annotate(rollback=old)
    world.step()
    world.make_ready(old, 2)
    world.step()
    assert shares(world) == {new: 50, old: 50}

    world.routing = Routing(PORTS, told=(router(world, candidate=BAD),))
    live(world)

    assert shares(world) == {old: 100}
