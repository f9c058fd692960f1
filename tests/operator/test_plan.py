"""What passes do over the life of a ModelDeployment."""

import copy
from datetime import timedelta

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import ObjectKey, key_of
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble
from model_operator.domain.wish.spec import identify
from model_operator.plan.plan import plan_for_invalid

PENDING = Trouble("Unschedulable", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.")


def kinds(manifests):
    return [key_of(manifest).kind for manifest in manifests]


def test_a_new_object_gets_memory_then_pods_then_traffic(world):
    plan = world.plan()

    assert kinds(plan.apply) == ["ControllerRevision", "NetworkPolicy", "Deployment", "Service"]
    assert plan.delete == ()


def test_before_anything_is_ready_the_object_is_reconciling_and_not_available(world):
    world.settle()

    assert world.condition("Ready")["status"] == "False"
    assert world.condition("Ready")["reason"] == "Progressing"
    assert world.condition("Reconciling")["status"] == "True"
    assert world.condition("Available")["status"] == "False"
    assert "stable" not in world.body["status"]


def test_the_first_revision_serves_when_it_is_ready(world):
    world.settle()
    first = world.candidate()
    world.make_ready(first, 1)

    world.settle()

    assert world.stable() == first
    assert world.routed() == first
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Available")["status"] == "True"
    assert world.condition("Reconciling")["status"] == "absent"
    assert "candidate" not in world.body["status"]


def test_a_settled_object_plans_nothing_and_asks_for_no_further_look(serving):
    plan = serving.plan()

    assert (plan.apply, plan.delete, plan.status, plan.announcements) == ((), (), None, ())
    assert plan.again_at is None


def test_the_old_revision_serves_until_the_new_one_is_ready(serving):
    old = serving.stable()
    serving.edit(model={"version": 2})

    serving.settle()

    assert serving.routed() == old
    assert serving.deployments() == sorted([old, serving.candidate()])
    assert serving.condition("Available")["status"] == "True"
    assert serving.condition("Ready")["status"] == "False"


def test_traffic_moves_before_the_old_revision_goes(serving):
    old = serving.stable()
    serving.edit(model={"version": 2})
    serving.settle()
    new = serving.candidate()
    serving.make_ready(new, 1)

    moving = serving.step()
    cleaning = serving.step()

    assert (kinds(moving.apply), moving.delete) == (["Service"], ())
    assert (cleaning.apply, cleaning.delete) == ((), (ObjectKey("Deployment", old),))
    assert serving.routed() == new


def test_a_version_change_takes_two_status_writes_and_one_event(serving):
    serving.edit(model={"version": 2})
    plans = [serving.step() for _ in range(2)]
    serving.make_ready(serving.candidate(), 1)

    plans += [serving.step() for _ in range(4)]

    assert sum(plan.status is not None for plan in plans) == 2
    assert sum(len(plan.announcements) for plan in plans) == 1


def test_the_status_of_the_pass_that_moves_traffic_tells_of_it_as_moved(serving):
    serving.edit(model={"version": 2})
    serving.settle()
    new = serving.candidate()
    serving.make_ready(new, 1)

    serving.step()

    assert serving.condition("Ready")["status"] == "True"
    assert serving.condition("Available")["message"] == f"revision {new} answers"
    assert [item["name"] for item in serving.body["status"]["revisions"]] == [new]


def test_going_back_finds_the_former_revision_and_its_pods_again(serving):
    first = serving.stable()
    template = serving.children[ObjectKey("Deployment", first)]["spec"]["template"]
    serving.edit(model={"version": 2})
    serving.settle()
    serving.make_ready(serving.candidate(), 1)
    serving.settle()
    serving.image = "modelfleet/server:2"

    serving.edit(model={"version": 1})
    serving.settle()

    assert serving.candidate() == first
    assert serving.children[ObjectKey("Deployment", first)]["spec"]["template"] == template


def test_a_new_operator_with_another_default_image_changes_nothing(serving):
    serving.image = "modelfleet/server:2"

    plan = serving.plan()

    assert (plan.apply, plan.delete, plan.status) == ((), (), None)


def test_a_pod_more_that_is_ready_is_told_from_other_news(serving):
    serving.edit(replicas=3)
    serving.settle()
    serving.make_ready(serving.stable(), 2)
    one_more = serving.plan()
    serving.make_ready(serving.stable(), 3)
    all_of_them = serving.plan()

    assert one_more.status["readyReplicas"] == 2
    assert one_more.is_only_counts
    assert not all_of_them.is_only_counts


def test_a_candidate_that_was_given_up_goes_at_once(serving):
    serving.edit(model={"version": 2})
    serving.settle()
    abandoned = serving.candidate()
    serving.edit(model={"version": 3})

    serving.settle()

    assert abandoned not in serving.deployments()
    assert len(serving.deployments()) == 2


def test_more_replicas_change_the_workload_and_not_the_revision(serving):
    serving.edit(replicas=3)

    plan = serving.step()

    assert kinds(plan.apply) == ["Deployment", "PodDisruptionBudget"]
    assert plan.apply[0]["spec"]["replicas"] == 3
    assert serving.condition("Ready")["status"] == "False"


def test_a_budget_guards_the_revision_that_serves_and_goes_with_the_second_replica(serving):
    budget = ObjectKey("PodDisruptionBudget", "ranker-model-server")
    serving.edit(replicas=2)
    serving.settle()

    selector = serving.children[budget]["spec"]["selector"]["matchLabels"]
    assert selector["modelfleet.dev/revision"] == serving.stable()
    serving.edit(replicas=1)
    assert serving.plan().delete == (budget,)


def test_a_port_that_somebody_opened_is_closed_again(serving):
    key = ObjectKey("NetworkPolicy", "ranker-model-server")
    [rule] = serving.children[key]["spec"]["ingress"]
    rule["ports"].append({"protocol": "TCP", "port": 22})

    assert kinds(serving.plan().apply) == ["NetworkPolicy"]


def test_no_replicas_wanted_is_ready_and_not_available(serving):
    serving.edit(replicas=0)
    serving.step()
    serving.make_ready(serving.stable(), 0)

    serving.settle()

    assert serving.condition("Ready")["reason"] == "ScaledToZero"
    assert serving.condition("Available")["status"] == "False"


@pytest.mark.parametrize(
    "kind",
    ["ControllerRevision", "NetworkPolicy", "Deployment", "Service", "PodDisruptionBudget"],
)
def test_a_child_deleted_by_hand_comes_back(serving, kind):
    serving.edit(replicas=2)
    serving.settle()
    before = copy.deepcopy(serving.children)
    del serving.children[next(key for key in before if key.kind == kind)]

    plan = serving.plan()

    assert kinds(plan.apply) == [kind]


def test_a_foreign_edit_of_an_owned_field_is_put_right_on_that_very_object(serving):
    key = ObjectKey("Service", "ranker")
    serving.children[key]["spec"]["selector"] = {"app": "other"}

    plan = serving.plan()

    assert kinds(plan.apply) == ["Service"]
    assert plan.apply[0]["metadata"]["uid"] == serving.children[key]["metadata"]["uid"]


def test_what_others_add_is_left_alone(serving):
    key = ObjectKey("Deployment", serving.stable())
    serving.children[key]["metadata"]["annotations"] = {"team": "search"}
    serving.children[key]["spec"]["template"]["spec"]["containers"].append({"name": "sidecar"})

    plan = serving.plan()

    assert plan.apply == ()


def test_a_child_on_its_way_out_is_waited_for(serving):
    key = ObjectKey("Deployment", serving.stable())
    serving.children[key]["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    serving.children[key]["spec"]["replicas"] = 7

    plan = serving.plan()

    assert plan.apply == ()


def test_what_is_on_its_way_out_is_not_deleted_once_more(serving):
    old, budget = serving.stable(), ObjectKey("PodDisruptionBudget", "ranker-model-server")
    serving.edit(model={"version": 2}, replicas=2)
    serving.settle()
    serving.make_ready(serving.candidate(), 2)
    serving.step()
    serving.edit(replicas=1)
    before = serving.plan().delete
    for key in before:
        serving.children[key]["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"

    plan = serving.plan()

    assert set(before) == {ObjectKey("Deployment", old), budget}
    assert plan.delete == ()


def test_a_suspended_object_changes_its_status_alone(serving):
    old = serving.stable()
    serving.edit(model={"version": 2}, suspend=True)

    plan = serving.step()

    assert (plan.apply, plan.delete) == ((), ())
    assert serving.stable() == old
    assert serving.condition("Paused")["status"] == "True"
    assert serving.condition("Ready")["reason"] == "Suspended"
    assert serving.condition("Reconciling")["status"] == "absent"


def test_a_name_that_belongs_to_somebody_else_stalls_and_is_not_taken(world):
    world.foreign = frozenset({ObjectKey("Service", "ranker")})

    plan = world.step()

    assert kinds(plan.apply) == ["ControllerRevision", "NetworkPolicy", "Deployment"]
    assert world.condition("Stalled")["reason"] == "NameTaken"
    assert "Service ranker" in world.condition("Ready")["message"]


def test_the_reason_why_a_pod_waits_is_in_the_status(world):
    world.settle()
    pod = Pod("ranker-x", world.candidate(), "", False, False, PENDING)
    world.pods = (pod,)

    world.settle()

    assert world.condition("Ready")["reason"] == "Unschedulable"
    assert "pod ranker-x: 0/3 nodes" in world.condition("Ready")["message"]
    assert world.condition("Reconciling")["status"] == "True"


def test_a_pass_before_the_deadline_asks_to_be_repeated_at_it(world):
    world.settle()

    assert world.plan().again_at == world.now + timedelta(minutes=10)


def test_a_server_that_runs_and_is_not_ready_is_asked_again_soon(world):
    world.settle()
    world.pods = (Pod("ranker-x", world.candidate(), "10.0.0.1", True, False, None),)

    wait = world.plan().again_at - world.now

    assert wait.total_seconds() == 5


def test_a_lost_status_does_not_move_traffic(serving):
    old = serving.stable()
    serving.edit(model={"version": 2})
    serving.settle()
    serving.body["status"] = {}

    serving.settle()

    assert serving.stable() == old
    assert serving.routed() == old


def test_the_status_says_who_gets_the_traffic_and_who_gets_none_yet(serving):
    old = serving.stable()
    serving.edit(model={"version": 2})
    serving.settle()

    status = serving.body["status"]

    assert status["traffic"] == [{"revision": old, "wanted": 100, "programmed": 100}]
    assert status["candidate"]["weight"] == 0


def test_traffic_that_cannot_be_moved_is_told_from_what_is_wanted(serving):
    old = serving.stable()
    serving.edit(model={"version": 2})
    serving.settle()
    serving.make_ready(serving.candidate(), 1)
    serving.edit(suspend=True)
    serving.settle()

    assert serving.body["status"]["traffic"] == [
        {"revision": old, "wanted": 100, "programmed": 100}
    ]


def test_an_invalid_spec_leaves_what_serves_alone(serving):
    serving.edit(model={"uri": "ftp://models"})
    error = InvalidSpec("spec.model.uri", "no known scheme")

    plan = plan_for_invalid(identify(serving.body), error, serving.observe(), serving.now)

    assert (plan.apply, plan.delete) == ((), ())
    conditions = {item["type"]: item for item in plan.status["conditions"]}
    assert conditions["Stalled"]["reason"] == "InvalidSpec"
    assert conditions["Available"]["status"] == "True"
    assert plan.status["observedGeneration"] == 2
    assert plan.status["stable"]["revision"] == serving.stable()


def test_what_others_write_into_the_status_is_no_reason_to_write(serving):
    foreign = {"type": "Audited", "status": "True", "reason": "Ok", "message": ""}
    serving.body["status"]["conditions"].append(foreign)
    serving.body["status"]["fieldOfANewerOperator"] = 1

    assert serving.plan().status is None
