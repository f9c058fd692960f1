"""A change by steps from edit to end: objects, weights, status and orders of users."""

import json

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import ObjectKey, key_of
from model_operator.domain.observed import Pod, Routing
from model_operator.domain.spec import identify, parse
from model_operator.domain.traffic import Ports
from model_operator.domain.troubles import Trouble
from model_operator.plan.plan import plan_for_invalid
from model_operator.plan.steps import require_router
from simulated_world import World, model_deployment

STEPS = [{"weight": 10, "holdSeconds": 60}, {"weight": 50, "holdSeconds": 60}]
PORTS = Ports(20000, 20001)
RECORD = ObjectKey("ConfigMap", "ranker-traffic")


def served(replicas=4, **rollout):
    """A world with a router, in which version 1 serves and later ones go by steps."""
    world = World(model_deployment(replicas=replicas, rollout={"steps": STEPS} | rollout))
    world.routing = Routing(PORTS)
    live(world)
    assert world.condition("Ready")["status"] == "True"
    return world


def live(world, *broken):
    """Passes until all is at rest at this moment; every pod that is not broken gets ready."""
    for _ in range(12):
        world.step()
        for name in world.deployments():
            replicas = world.workload(name)["spec"]["replicas"]
            world.make_ready(name, 0 if name in broken else replicas)
    world.settle()


def pass_time(world, **duration):
    world.wait(**duration)
    live(world)


def replicas(world, name):
    return world.workload(name)["spec"]["replicas"]


def change(world, version=2):
    """The old and the new revision, after an edit of the version."""
    old = world.stable()
    world.edit(model={"version": version})
    live(world)
    return old, world.candidate()


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


def test_a_revert_before_the_end_goes_back_at_once():
    world = served()
    old, _ = change(world)
    world.edit(model={"version": 1})

    world.step()

    assert world.weights()[old] == 100
    assert world.condition("Ready")["status"] == "True"


def promoted():
    """A world in which version 2 has just been promoted; the former revision is warm."""
    world = served()
    old, new = change(world)
    world.annotate(promote=new)
    live(world)
    return world, old, new


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


def test_a_revert_to_a_revision_that_is_cold_goes_by_steps():
    world, old, new = promoted()
    pass_time(world, seconds=301)
    world.edit(model={"version": 1})
    live(world)

    assert world.weights() == {old: 10, new: 90}


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


def test_more_replicas_do_not_end_a_rollback():
    world, old, _ = promoted()
    world.annotate(rollback=old)
    live(world)
    world.edit(replicas=5)
    live(world)

    assert world.stable() == old
    assert world.weights()[old] == 100


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


def test_steps_where_there_is_no_router_are_refused():
    world = World(model_deployment(rollout={"steps": STEPS}))

    with pytest.raises(InvalidSpec, match=r"spec\.rollout\.steps: need the router"):
        require_router(parse(world.body), world.observe())


def test_without_a_router_nothing_of_it_stays_behind():
    world = served()
    world.body["spec"]["rollout"] = {}
    world.routing = None
    live(world)

    assert [key.name for key in world.children if key.kind == "Service"] == ["ranker"]
    assert RECORD not in world.children
    assert not world.observe().is_through_router
