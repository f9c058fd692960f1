"""What passes do over the life of a model that is divided among groups of pods."""

from dataclasses import replace
from datetime import timedelta

import pytest

from group_world import divided, groups, live, member, ready, served
from model_operator.domain.manifests import ObjectKey
from model_operator.domain.routing.traffic import Ports
from model_operator.domain.seen.observed import Routing
from model_operator.domain.seen.troubles import Trouble
from model_router.record.objects import revision_of
from rollout_world import STEPS

ROUTED = Routing(Ports(20000, 20001))


def status(world):
    return world.body["status"]


def test_each_copy_is_a_group_of_its_own():
    world = divided(shards=3, replicas=2)

    world.settle()

    first, second = groups(world)
    assert world.children[ObjectKey("StatefulSet", first)]["spec"]["replicas"] == 3
    assert (first[-2:], second[-2:]) == ("-0", "-1")
    assert world.deployments() == []


def test_a_group_counts_when_it_is_whole():
    world = divided(shards=3, replicas=2)
    world.settle()
    first, second = groups(world)

    ready(world, first)
    ready(world, second, members=2)
    world.settle()

    assert (status(world)["replicas"], status(world)["readyReplicas"]) == (2, 1)
    assert world.condition("Ready")["message"] == "version 1 waits for 2 whole groups"


def test_a_model_serves_when_all_its_groups_are_whole():
    world = served()

    assert status(world)["readyReplicas"] == 2
    assert world.condition("Ready")["message"] == "version 1 serves with 2 groups"


def test_the_object_is_settled_when_its_groups_are_whole():
    plan = served().plan()

    assert (plan.apply, plan.delete, plan.status) == ((), (), None)


def test_a_token_is_made_before_the_first_group_and_never_again():
    world = divided()

    plans = [world.step() for _ in range(2)]

    assert [plan.needs_token for plan in plans] == [True, False]


def test_a_token_that_somebody_deleted_is_made_again():
    world = served()
    words = 'MountVolume.SetUp failed for volume "group": secret "ranker-group-token" not found'
    lost = member(world, groups(world)[0], 0, trouble=Trouble("MountFailed", words))

    world.pods = (lost,)

    assert world.plan().needs_token


def test_an_autoscaler_finds_one_pod_for_each_group():
    world = served(shards=3)

    labels = dict(item.split("=") for item in status(world)["selector"].split(","))

    assert labels["apps.kubernetes.io/pod-index"] == "0"
    assert labels["modelfleet.dev/revision"] == world.stable()


def test_more_copies_are_more_groups():
    world = served(replicas=1)
    [first] = groups(world)

    world.edit(replicas=3)
    live(world)

    assert len(groups(world)) == 3
    assert first in groups(world)


def test_of_fewer_copies_the_whole_groups_stay():
    world = served(replicas=3)
    first, second, third = groups(world)
    ready(world, first, members=1)

    world.edit(replicas=2)
    world.settle()

    assert groups(world) == [second, third]


def test_a_number_is_not_used_again_while_pods_of_it_are_left():
    world = served(replicas=2)
    first, second = groups(world)
    world.pods = (member(world, second, 1, is_terminating=True),)
    world.edit(replicas=1)
    world.settle()

    world.edit(replicas=2)
    live(world)

    assert groups(world) == [first, f"{first[:-2]}-2"]


def test_no_copies_are_no_groups_and_more_can_be_made_again():
    world = served()

    world.edit(replicas=0)
    world.settle()
    scaled = groups(world), world.condition("Ready")["reason"]
    world.edit(replicas=1)
    live(world)

    assert scaled == ([], "ScaledToZero")
    assert len(groups(world)) == 1


def test_another_number_of_shards_is_another_revision():
    world = served()
    old = world.stable()

    world.edit(sharding={"shards": 4, "recovery": "Member"})
    live(world)

    assert world.stable() != old
    assert groups(world) == groups(world, world.stable())


def test_another_recovery_changes_no_pod():
    world = served()
    before = groups(world), world.stable()

    world.edit(sharding={"shards": 2, "recovery": "WholeGroup"})
    plan = world.step()

    assert plan.apply == ()
    assert (groups(world), world.stable()) == before


def test_a_whole_model_becomes_groups_and_groups_a_whole_model_again():
    world = served()
    divided_one = world.stable()

    del world.body["spec"]["sharding"]
    world.edit()
    world.settle()
    whole_one = world.candidate()
    meanwhile = world.routed()
    world.make_ready(whole_one, 2)
    world.settle()

    assert meanwhile == divided_one
    assert (world.routed(), groups(world)) == (whole_one, [])
    assert ObjectKey("Service", f"{divided_one}-members") not in world.children


def test_a_candidate_shifts_requests_by_whole_groups():
    world = served(replicas=4, routing=ROUTED, rollout={"steps": STEPS})
    old = world.stable()
    world.edit(model={"version": 2})
    live(world)
    new = world.candidate()

    counts = [len(groups(world, new))]
    world.wait(seconds=61)
    live(world)
    counts.append(len(groups(world, new)))

    assert counts == [1, 2]
    assert world.weights() == {old: 50, new: 50}
    assert len(groups(world, old)) == 4


def test_a_candidate_without_a_whole_group_gets_no_request():
    world = served(replicas=4, routing=ROUTED, rollout={"steps": STEPS})
    world.edit(model={"version": 2})
    world.settle()
    new = world.candidate()

    [first] = groups(world, new)
    ready(world, first, members=1)
    world.settle()

    assert world.weights()[new] == 0


def test_a_former_revision_keeps_its_groups_while_it_is_warm():
    world = served(routing=ROUTED, rollout={"keepWarmSeconds": 300})
    old = world.stable()
    world.edit(model={"version": 2})
    live(world)

    warm = groups(world, old)
    world.wait(seconds=301)
    live(world)

    assert len(warm) == 2
    assert groups(world, old) == []


def test_with_drain_first_a_group_makes_room_for_a_group():
    world = served(replicas=2, rollout={"capacity": "DrainFirst"})
    old = world.stable()

    world.edit(model={"version": 2})
    world.settle()

    assert len(groups(world, old)) == 1
    assert len(groups(world, world.candidate())) == 1


def test_a_member_that_is_lost_is_left_to_its_stateful_set():
    world = served()
    first, _ = groups(world)
    ready(world, first, members=0)
    world.pods = (member(world, first, 0, was_ready=True), member(world, first, 1))

    plan = world.step()

    assert (plan.apply, plan.delete) == ((), ())


def lose_member(world, group, **known):
    ready(world, group, members=0)
    world.pods = (member(world, group, 0, was_ready=True), member(world, group, 1, **known))


@pytest.mark.parametrize(
    "known",
    [
        pytest.param({}, id="it began anew"),
        pytest.param({"is_terminating": True, "was_ready": True}, id="it is on its way out"),
    ],
)
def test_with_whole_group_all_members_begin_anew_once_one_is_lost(known):
    world = served(recovery="WholeGroup")
    first, second = groups(world)
    lose_member(world, first, **known)

    plan = world.step()

    assert [key.name for key in plan.delete if key.kind == "StatefulSet"] == [first]
    assert groups(world) == [second, f"{first[:-2]}-2"]


def test_with_whole_group_a_loss_is_answered_once():
    world = served(recovery="WholeGroup")
    first, second = groups(world)
    lose_member(world, first)
    world.step()
    new = f"{first[:-2]}-2"
    left = tuple(replace(pod, is_terminating=True) for pod in world.pods)
    world.pods = (*left, member(world, new, 0), member(world, new, 1))

    plans = [world.step() for _ in range(3)]

    assert [plan.delete for plan in plans] == [(), (), ()]
    assert groups(world) == [second, new]


def test_with_whole_group_members_that_start_one_after_the_other_are_let_be():
    world = divided(recovery="WholeGroup", replicas=1)
    world.settle()
    [only] = groups(world)
    world.pods = (member(world, only, 0, is_ready=True), member(world, only, 1))

    assert world.step().delete == ()


def test_an_obstacle_names_the_group_and_its_member():
    world = divided(shards=3, replicas=2)
    world.settle()
    _, second = groups(world)
    trouble = Trouble("LoadFailed", "version 1: no variable can be divided")

    world.pods = (member(world, second, 2, trouble=trouble),)
    world.settle()

    assert world.condition("Ready")["reason"] == "LoadFailed"
    assert world.condition("Ready")["message"] == (
        "version 1 waits for 2 whole groups; "
        "group 1: member 2: version 1: no variable can be divided"
    )


def test_the_member_that_knows_why_is_heard_before_those_that_wait_for_it():
    world = divided(replicas=1)
    world.settle()
    [only] = groups(world)
    waits = Trouble("GroupNotWhole", "version 1 waits for its group: member 1: not there")
    knows = Trouble("OutOfMemory", "the container was killed at its memory limit")

    world.pods = (member(world, only, 0, trouble=waits), member(world, only, 1, trouble=knows))
    world.settle()

    assert world.condition("Ready")["reason"] == "OutOfMemory"


def test_what_keeps_members_from_being_created_is_told_and_asked_again():
    world = divided(replicas=1)
    world.settle()
    [only] = groups(world)

    world.group_troubles = {only: Trouble("QuotaExceeded", "exceeded quota: small")}
    world.settle()

    assert world.condition("Ready")["reason"] == "QuotaExceeded"
    assert world.condition("Ready")["message"].endswith("; group 0: exceeded quota: small")
    assert world.plan().again_at == world.now + timedelta(seconds=5)


def test_behind_a_router_a_group_is_reached_by_it_and_its_own_members_alone():
    world = served(routing=ROUTED)
    first, _ = groups(world)

    policy = world.children[ObjectKey("NetworkPolicy", first)]["spec"]["ingress"]
    base = world.children[ObjectKey("NetworkPolicy", "ranker-model-server")]["spec"]

    sources = [source["podSelector"]["matchLabels"] for source in policy[0]["from"]]
    assert {"modelfleet.dev/group": first} in sources
    assert len(sources) == 2
    [spared] = base["podSelector"]["matchExpressions"]
    assert spared == {"key": "modelfleet.dev/group", "operator": "DoesNotExist"}


def test_routers_do_not_take_the_addresses_of_members_that_may_be_unready():
    world = served(routing=ROUTED)
    revision = world.stable()

    by_service = {
        name: revision_of({"metadata": world.children[ObjectKey("Service", name)]["metadata"]})
        for name in (revision, f"{revision}-members")
    }

    # Kubernetes copies the labels of a Service to its EndpointSlices.
    assert by_service == {revision: revision, f"{revision}-members": None}


def test_a_policy_goes_with_its_group():
    world = served(routing=ROUTED)
    first, second = groups(world)

    world.edit(replicas=1)
    live(world)

    assert ObjectKey("NetworkPolicy", first) in world.children
    assert ObjectKey("NetworkPolicy", second) not in world.children


def test_where_routers_are_switched_off_clients_reach_groups_again():
    world = served(routing=ROUTED)
    first, _ = groups(world)

    world.routing = None
    world.settle()

    assert ObjectKey("NetworkPolicy", first) not in world.children
    base = world.children[ObjectKey("NetworkPolicy", "ranker-model-server")]["spec"]
    assert "matchExpressions" not in base["podSelector"]


def test_members_of_an_unready_group_may_be_evicted_and_none_of_another():
    world = served()

    budget = world.children[ObjectKey("PodDisruptionBudget", "ranker-model-server")]["spec"]

    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_a_variant_is_divided_as_the_main_model_is():
    big = {"name": "big", "model": {"version": 9}, "weight": 20, "replicas": 1}
    world = served(routing=ROUTED, variants=[big])

    [variant] = [item for item in status(world)["revisions"] if item.get("variant") == "big"]

    assert (variant["replicas"], variant["readyReplicas"]) == (1, 1)
    assert len(groups(world, variant["name"])) == 1
