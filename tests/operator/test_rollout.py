"""A change by steps from edit to end: objects, weights and status."""

import json

import pytest

from model_operator.domain.conditions import ConditionType, find
from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import ObjectKey, key_of
from model_operator.domain.seen.observed import Routing
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble
from model_operator.domain.wish.spec import identify, parse
from model_operator.plan.plan import plan_for_invalid
from model_operator.plan.rollout.steps import require_router
from rollout_world import PORTS, STEPS, change, live, pass_time, promoted, served
from simulated_world import World, model_deployment

RECORD = ObjectKey("ConfigMap", "ranker-traffic")


def record(world):
    return json.loads(world.children[RECORD]["data"]["record.json"])


def test_memory_and_pods_and_the_record_come_before_the_service_that_leads_to_the_router():
    world = World(model_deployment())
    world.routing = Routing(PORTS)

    assert [str(key_of(manifest)).split()[0] for manifest in world.plan().apply] == [
        "ControllerRevision",
        "NetworkPolicy",
        "Deployment",
        "Service",
        "ConfigMap",
        "Service",
    ]


def test_the_service_leads_to_the_ports_of_the_record():
    world = served()
    spec = world.children[ObjectKey("Service", "ranker")]["spec"]

    assert record(world)["ports"] == {"grpc": 20000, "rest": 20001}
    assert [port["targetPort"] for port in spec["ports"]] == [20000, 20001]
    assert spec["selector"]["app.kubernetes.io/name"] == "model-router"


def test_the_record_is_as_the_router_reads_it():
    from model_router.record.objects import model_of, record_text
    from model_router.record.traffic import Share, parse_record

    world = served()
    old, new = change(world)
    config_map = world.children[RECORD]

    read = parse_record(record_text(config_map))

    assert model_of(config_map) == read.name == "ranker"
    assert set(read.split) == {Share(old, 90), Share(new, 10)}


def test_the_status_tells_of_the_step_and_what_comes_next():
    world = served()
    old, new = change(world)
    status = world.body["status"]

    candidate = {key: status["candidate"][key] for key in ("version", "step", "weight", "state")}
    assert candidate == {"version": 2, "step": 1, "weight": 10, "state": "Holding"}
    assert status["next"] == f"{new}: 50 % at 2026-01-01T12:01:00Z"
    assert {(item["revision"], item["wanted"]) for item in status["traffic"]} == {
        (old, 90),
        (new, 10),
    }
    assert world.condition("Ready")["message"] == "version 2 is at 10 %"
    assert world.condition("Reconciling")["status"] == "True"


def test_what_routers_hold_to_is_told_beside_what_is_wanted():
    world = served()
    old, new = change(world)
    silent = world.body["status"]["traffic"]
    world.routing = Routing(PORTS, {old: 100, new: 0})
    world.settle()

    assert all("programmed" not in item for item in silent)
    assert {(item["revision"], item["programmed"]) for item in world.body["status"]["traffic"]} == {
        (old, 100),
        (new, 0),
    }


@pytest.mark.parametrize("spec", [{}, {"rollout": {"steps": STEPS}}])
def test_without_a_router_that_is_ready_nothing_is_available(spec):
    world = World(model_deployment(**spec))
    world.routing = Routing(PORTS, routers=0)
    live(world)
    before = world.condition("Available"), world.condition("Ready")
    world.routing = Routing(PORTS)
    live(world)

    assert [item["reason"] for item in before] == ["NoReadyRouter", "NoReadyRouter"]
    assert world.condition("Available")["status"] == "True"
    assert world.condition("Ready")["status"] == "True"


def test_an_object_is_not_ready_before_the_routers_are_known_to_send_all_there():
    world, old, new = promoted()
    world.routing = Routing(PORTS, {old: 50, new: 50})
    world.settle()
    before = world.condition("Ready")
    world.routing = Routing(PORTS, {new: 100})
    world.settle()

    assert before["message"] == "routers have yet to send all requests to version 2"
    assert world.condition("Ready")["status"] == "True"


def test_a_canary_whose_pods_do_not_get_ready_gets_nothing_and_ends_at_the_deadline():
    world = served(progressDeadlineSeconds=300)
    old = world.stable()
    world.edit(model={"version": 2})
    world.step()
    new = world.candidate()
    live(world, new)
    waiting = world.weights()
    world.wait(seconds=360)
    live(world, new)

    assert waiting == {old: 100, new: 0}
    assert world.condition("Stalled")["reason"] == "ProgressDeadlineExceeded"
    assert world.weights()[old] == 100


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        pytest.param(
            Trouble("LoadFailed", "no signature"), "LoadFailed", id="nothing will help it"
        ),
        pytest.param(Trouble("Loading", "version 2 is loading"), "Progressing", id="time will"),
    ],
)
def test_what_keeps_the_pods_of_a_canary_is_the_reason(trouble, reason):
    world = served()
    world.edit(model={"version": 2})
    world.step()
    world.pods = (Pod("p", world.candidate(), "10.0.0.1", True, False, trouble),)
    world.settle()

    assert world.condition("Ready")["reason"] == reason
    assert world.condition("Ready")["message"].startswith("version 2 waits for replicas for 10 %")


def test_a_third_version_takes_the_place_of_the_second():
    world = served()
    old, second = change(world)
    world.edit(model={"version": 3})
    world.step()
    moved = world.weights()
    live(world)
    third = world.candidate()
    still_there = second in world.deployments()
    pass_time(world, seconds=10)

    assert moved[second] == 0
    assert still_there
    assert world.deployments() == sorted([old, third])
    assert world.weights() == {old: 90, third: 10}


def test_a_stable_revision_that_dies_leaves_its_requests_to_the_candidate_for_a_while():
    world = served()
    old, new = change(world)
    world.make_ready(old, 0)
    world.step()
    alone = world.weights()
    live(world)

    assert alone == {old: 0, new: 100}
    assert world.weights() == {old: 90, new: 10}
    assert world.stable() == old


def test_where_neither_has_a_ready_pod_a_former_candidate_stands_in_until_one_has():
    world = served()
    old, second = change(world)
    world.make_ready(old, 0)
    world.edit(model={"version": 3})

    world.step()
    at_once = world.weights()
    world.wait(seconds=300)
    world.step()
    much_later, written = world.weights(), dict(world.body["status"])
    world.wait(seconds=1)
    world.step()
    again = dict(world.body["status"])
    world.make_ready(old, 4)
    world.step()
    [former] = [item for item in world.body["status"]["revisions"] if item["name"] == second]
    live(world)
    pass_time(world, seconds=10)

    third = world.candidate()
    assert at_once == much_later == {old: 0, second: 100, third: 0}
    assert again == written, "each write wakes the operator again"
    assert former["drainsUntil"] == "2026-01-01T12:05:11Z"
    assert world.stable() == old
    assert world.weights() == {old: 90, third: 10}
    assert second not in world.deployments()


def test_a_status_that_was_lost_starts_the_steps_anew():
    world = served()
    old, new = change(world)
    pass_time(world, seconds=60)
    world.body["status"] = {}
    live(world)

    assert world.stable() == old
    assert world.weights() == {old: 90, new: 10}


def test_a_suspended_rollout_stays_where_it_is_and_goes_on_from_there():
    world = served()
    old, new = change(world)
    world.edit(suspend=True)
    pass_time(world, days=1)
    halted = world.weights()
    world.edit(suspend=False)
    live(world)

    assert halted == {old: 90, new: 10}
    assert world.weights() == {old: 50, new: 50}


def test_a_step_that_pauses_costs_no_write_while_it_does():
    world = served(steps=[{"weight": 10, "pause": True}])
    change(world)
    world.wait(seconds=20)

    assert world.condition("Paused")["status"] == "True"
    assert world.plan().status is None


def test_a_record_that_is_edited_or_deleted_by_hand_is_mended():
    world = served()
    old, new = change(world)
    world.children[RECORD]["data"] = {"record.json": "{}"}
    live(world)
    mended = world.weights()
    del world.children[RECORD]
    live(world)

    assert mended == world.weights() == {old: 90, new: 10}


def test_a_service_that_leads_to_pods_does_so_until_routers_know_the_model():
    world = World(model_deployment(rollout={"steps": STEPS}))
    live(world)
    old = world.stable()
    world.routing = Routing(PORTS)
    live(world)
    direct = world.observe().is_through_router
    _, new = change(world)
    waiting, next_ = world.weights(), world.body["status"]["next"]
    world.routing = Routing(PORTS, {old: 100, new: 0})
    live(world)

    assert direct is False
    assert next_ == f"{new}: its first step when the routers of the namespace know the model"
    assert waiting == {old: 100}
    assert world.observe().is_through_router
    assert world.weights() == {old: 90, new: 10}


def test_a_former_revision_stays_warm_though_the_object_is_suspended_meanwhile():
    world, old, new = promoted()
    world.edit(suspend=True)
    live(world)
    world.edit(suspend=False)
    live(world)
    is_there = world.deployments()

    pass_time(world, seconds=300)

    assert is_there == sorted([old, new])
    assert world.deployments() == [new]


def switched_off(world):
    """As after a new start of the operator: the last router still runs, records are not shown."""
    world.routing, world.has_router_pods = None, True
    del world.children[RECORD]


def test_pods_of_revisions_can_be_found_until_the_last_router_has_ended():
    world = served()
    world.body["spec"]["rollout"] = {}
    switched_off(world)
    live(world)
    while_it_runs = [key.name for key in world.children if key.kind == "Service"]
    world.has_router_pods = False
    live(world)

    assert while_it_runs == [world.stable(), "ranker"]
    assert [key.name for key in world.children if key.kind == "Service"] == ["ranker"]


def test_what_goes_on_by_a_router_that_was_switched_off_is_still_available():
    world = served()
    switched_off(world)

    plan = plan_for_invalid(
        identify(world.body), InvalidSpec("spec", "no router"), world.observe(), world.now
    )

    available = find(plan.status, ConditionType.AVAILABLE)
    assert (available["status"], available["reason"]) == ("True", "Answering")


def test_steps_where_there_is_no_router_are_refused():
    world = World(model_deployment(rollout={"steps": STEPS}))

    with pytest.raises(InvalidSpec, match=r"spec\.rollout\.steps: needs the router"):
        require_router(parse(world.body), world.observe())


def test_without_a_router_nothing_of_it_stays_behind():
    world = served()
    world.body["spec"]["rollout"] = {}
    world.routing = None
    live(world)

    assert [key.name for key in world.children if key.kind == "Service"] == ["ranker"]
    assert RECORD not in world.children
    assert not world.observe().is_through_router
