"""Variants beside a main model, from edit to end: objects, requests and status."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import ObjectKey
from model_operator.domain.seen.observed import Routing
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble
from model_operator.domain.wish.spec import parse
from model_operator.plan.rollout.steps import require_router
from model_router.record.objects import record_text
from model_router.record.traffic import parse_record
from rollout_world import PORTS, STEPS, change, live, pass_time, served
from simulated_world import World, model_deployment

RECORD = ObjectKey("ConfigMap", "ranker-traffic")
BIG = {"name": "big", "model": {"version": 9}, "weight": 20}
TESTERS = {
    "name": "testers",
    "model": {"version": 8},
    "match": [{"header": "x-cohort", "exact": "t"}, {"header": "x-user-id", "regex": "test-.*"}],
}


def record(world):
    return parse_record(record_text(world.children[RECORD]))


def with_variants(*variants, **rollout):
    """A world in which the main model and all variants serve."""
    world = served(**rollout)
    world.edit(variants=list(variants))
    live(world)
    return world


def revision_of(world, variant):
    known = {item["name"]: item["revision"] for item in world.body["status"]["variants"]}
    return known[variant]


def told(world, variant):
    return next(item for item in world.body["status"]["variants"] if item["name"] == variant)


def test_a_variant_gets_its_share_when_it_is_ready_and_not_before():
    world = served()
    main = world.stable()
    world.edit(variants=[BIG])
    world.step()
    big = told(world, "big")["candidate"]["revision"]
    before = world.weights()
    live(world)

    assert before == {main: 100}
    assert world.weights() == {main: 80, big: 20}
    assert told(world, "big") == {"name": "big", "revision": big, "version": 9}
    assert world.condition("Ready")["status"] == "True"


def test_the_pods_of_a_variant_serve_its_version_by_the_name_that_clients_ask_for():
    world = with_variants(BIG | {"replicas": 2})
    deployment = world.workload(revision_of(world, "big"))
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert deployment["spec"]["replicas"] == 2
    assert "--model_name=ranker" in container["args"]
    assert "--model_version_policy=specific { versions: 9 }" in container["args"]


def test_the_status_tells_of_the_traffic_and_pods_of_each_variant():
    world = with_variants(BIG, TESTERS)
    status, main = world.body["status"], world.stable()
    big, testers = revision_of(world, "big"), revision_of(world, "testers")

    assert sorted(status["traffic"], key=str) == sorted(
        [
            {"revision": main, "wanted": 80},
            {"revision": big, "wanted": 20, "variant": "big"},
            {"revision": testers, "wanted": 0, "variant": "testers"},
        ],
        key=str,
    )
    assert {item["name"]: item.get("variant") for item in status["revisions"]} == {
        main: None,
        big: "big",
        testers: "testers",
    }
    assert status["replicas"] == 4


def test_headers_choose_a_variant_whatever_the_weights():
    world = with_variants(BIG, TESTERS)
    testers = revision_of(world, "testers")

    assert [(m.header, m.value, m.is_regex, m.revision) for m in record(world).matches] == [
        ("x-cohort", "t", False, testers),
        ("x-user-id", "test-.*", True, testers),
    ]
    assert testers not in world.weights()


def test_a_variant_that_loses_its_pods_leaves_its_requests_to_the_main_model():
    world = with_variants(BIG, TESTERS)
    main = world.stable()
    for variant in ("big", "testers"):
        world.make_ready(revision_of(world, variant), 0)
    world.settle()

    assert world.weights() == {main: 100}
    assert record(world).matches == ()
    assert told(world, "big")["message"].endswith("; its 20 % go to the others")
    assert world.condition("Ready")["message"] == (
        "variant big: version 9 waits for 1 ready replica; its 20 % go to the others"
    )
    assert world.condition("Available")["status"] == "True"


def test_variants_have_it_all_while_the_main_model_has_nothing_ready():
    world = with_variants(BIG, TESTERS)
    main, big = world.stable(), revision_of(world, "big")
    world.make_ready(main, 0)
    world.step()
    alone, available = world.weights(), world.condition("Available")
    live(world)

    assert alone == {main: 0, big: 100}
    assert available["message"] == f"revision {big} answers"
    assert world.weights() == {main: 80, big: 20}


def test_those_that_are_chosen_by_headers_alone_do_not_stand_in_for_the_main_model():
    world = with_variants(TESTERS)
    world.make_ready(world.stable(), 0)
    world.step()

    assert world.weights() == {world.stable(): 100}


def test_a_rollout_of_the_main_model_goes_on_inside_its_share():
    world = with_variants(BIG)
    old, new = change(world)
    first, candidate = world.weights(), world.body["status"]["candidate"]["weight"]
    pass_time(world, seconds=60)
    second = world.weights()
    pass_time(world, seconds=60)
    big = revision_of(world, "big")

    assert first == {old: 72, new: 8, big: 20}
    assert candidate == 10
    assert second == {old: 40, new: 40, big: 20}
    assert {name: weight for name, weight in world.weights().items() if weight} == {
        new: 80,
        big: 20,
    }


def test_a_variant_that_does_not_get_ready_holds_up_no_rollout():
    world = served()
    old = world.stable()
    world.edit(variants=[BIG])
    world.step()
    big = told(world, "big")["candidate"]["revision"]
    live(world, big)
    world.edit(model={"version": 2})
    live(world, big)
    for _ in range(2):
        world.wait(seconds=60)
        live(world, big)
    new = world.stable()

    assert new != old
    assert world.weights()[new] == 100
    assert world.body["status"]["stable"]["version"] == 2


def test_a_variant_that_does_not_get_ready_is_told_of_and_stalls_at_the_deadline():
    world = served(progressDeadlineSeconds=300)
    world.edit(variants=[BIG])
    world.step()
    big = told(world, "big")["candidate"]["revision"]
    trouble = Trouble("LoadFailed", "no signature")
    world.pods = (Pod("p", big, "10.0.0.1", True, False, trouble, arm="big"),)
    live(world, big)
    before = world.condition("Ready"), world.condition("Reconciling")["status"]
    world.wait(seconds=300)
    live(world, big)

    assert before[0]["reason"] == "LoadFailed"
    assert before[0]["message"].startswith("variant big: version 9 waits for 1 ready replica; ")
    assert before[1] == "True"
    assert world.condition("Stalled")["reason"] == "LoadFailed"


def test_the_time_of_a_variant_runs_on_while_a_rollout_pauses():
    world = served(steps=[{"weight": 10, "pause": True}], progressDeadlineSeconds=300)
    change(world)
    world.edit(variants=[BIG])
    world.step()
    big = told(world, "big")["candidate"]["revision"]
    live(world, big)
    world.wait(seconds=200)
    costs_nothing = world.plan().status is None
    live(world, big)
    world.wait(seconds=100)
    live(world, big)

    assert costs_nothing
    assert told(world, "big")["message"].endswith(
        "since more than 300 s; its 20 % go to the others"
    )


def test_another_version_of_a_variant_takes_its_share_over_when_all_of_it_is_ready():
    world = with_variants(BIG | {"replicas": 2})
    main, old = world.stable(), revision_of(world, "big")
    world.edit(variants=[BIG | {"replicas": 2, "model": {"version": 10}}])
    world.step()
    new = told(world, "big")["candidate"]["revision"]
    world.make_ready(new, 1)
    world.settle()
    half = world.weights()
    live(world)
    is_kept = old in world.deployments()
    after = world.weights()
    pass_time(world, seconds=10)

    assert half == {main: 80, old: 20}
    assert after == {main: 80, new: 20}
    assert is_kept
    assert world.deployments() == sorted([main, new])


def test_another_version_of_a_variant_that_never_gets_ready_is_given_up():
    world = with_variants(BIG, progressDeadlineSeconds=300)
    main, old = world.stable(), revision_of(world, "big")
    world.edit(variants=[BIG | {"model": {"version": 10}}])
    world.step()
    new = told(world, "big")["candidate"]["revision"]
    live(world, new)
    world.wait(seconds=300)
    live(world, new)

    assert world.weights() == {main: 80, old: 20}
    assert world.deployments() == sorted([main, old])
    assert world.condition("Stalled")["message"].startswith("variant big: version 10 was given up")


def test_a_variant_that_is_removed_loses_its_requests_at_once_and_its_pods_later():
    world = with_variants(BIG, TESTERS)
    main, testers = world.stable(), revision_of(world, "testers")
    world.edit(variants=[])
    world.step()
    first = record(world)
    live(world)
    stays = testers in world.deployments()
    pass_time(world, seconds=10)

    assert (first.answering, first.matches) == ((main,), ())
    assert stays
    assert {
        key.name for key in world.children if "testers" in key.name or "big" in key.name
    } == set()
    assert "variants" not in world.body["status"]
    assert world.condition("Ready")["status"] == "True"


def test_a_variant_of_the_same_version_as_the_main_model_is_another_revision():
    world = with_variants(BIG | {"model": {"version": 1}})
    main, big = world.stable(), revision_of(world, "big")

    assert big.startswith("ranker-big-")
    assert world.deployments() == sorted([main, big])
    assert world.weights() == {main: 80, big: 20}


def test_nobody_can_roll_back_to_the_revision_of_a_variant():
    world = with_variants(BIG)
    main = world.stable()
    world.annotate(rollback=revision_of(world, "big"))

    (announced,) = world.plan().announcements
    live(world)

    assert announced.reason == "CommandIgnored"
    assert world.stable() == main


def test_the_history_of_a_variant_is_apart_from_that_of_the_main_model():
    world = with_variants(BIG, historyLimit=1)
    for version in (10, 11, 12):
        world.edit(variants=[BIG | {"model": {"version": version}}])
        live(world)
        pass_time(world, seconds=10)
    history = [key.name for key in world.children if key.kind == "ControllerRevision"]

    assert world.stable() in history
    assert len([name for name in history if name.startswith("ranker-big-")]) == 2


def test_a_variant_of_more_than_one_replica_has_a_budget_of_its_own():
    world = with_variants(BIG | {"replicas": 2}, TESTERS)
    big = revision_of(world, "big")
    budgets = {key.name for key in world.children if key.kind == "PodDisruptionBudget"}

    assert budgets == {"ranker-model-server", big}
    selector = world.children[ObjectKey("PodDisruptionBudget", big)]["spec"]["selector"]
    assert selector["matchLabels"]["modelfleet.dev/revision"] == big


def test_what_is_suspended_stays_as_it_is_with_all_variants():
    world = with_variants(BIG)
    before = world.weights(), world.deployments()
    world.edit(suspend=True, variants=[])
    pass_time(world, days=1)
    halted = world.weights(), world.deployments()
    world.edit(suspend=False)
    live(world)

    assert halted == before
    assert world.weights() == {world.stable(): 100}


def test_a_variant_whose_status_was_lost_keeps_its_share():
    world = with_variants(BIG)
    before = world.weights()
    world.edit(variants=[BIG | {"model": {"version": 10}}])
    world.body["status"] = {}
    world.step()

    assert world.weights() == before


def test_users_of_two_variants_move_to_and_from_the_main_model_alone():
    """The hash of a header falls into one of the shares as they lie in the record."""
    world = with_variants(BIG, BIG | {"name": "tiny", "weight": 10})
    old, new = change(world)
    split = [share.revision for share in record(world).split]

    big, tiny = revision_of(world, "big"), revision_of(world, "tiny")
    assert split == [big, *sorted([old, new]), tiny]


def test_the_treatment_of_requests_is_in_the_record():
    traffic = {"stickyHeader": "x-user-id", "timeoutSeconds": 5, "maxConcurrentRequests": 64}
    world = served()
    world.edit(traffic=traffic)
    live(world)
    read = record(world)

    assert (read.sticky_header, read.timeout.seconds, read.most_requests) == ("x-user-id", 5, 64)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"variants": [BIG]}, "spec.variants"),
        ({"shadow": {"model": {"version": 2}, "percent": 1}}, "spec.shadow"),
        ({"traffic": {"timeoutSeconds": 5}}, "spec.traffic"),
    ],
)
def test_what_a_router_is_needed_for_is_refused_where_there_is_none(spec, field):
    world = World(model_deployment(**spec))

    with pytest.raises(InvalidSpec, match=rf"{field}: needs the router.*router\.enabled"):
        require_router(parse(world.body), world.observe())


def test_a_service_that_leads_to_pods_does_so_until_routers_know_of_the_variants():
    world = World(model_deployment(rollout={"steps": STEPS}))
    live(world)
    main = world.stable()
    world.edit(variants=[BIG])
    world.routing = Routing(PORTS)
    live(world)
    direct = world.observe().is_through_router
    world.routing = Routing(PORTS, {main: 80, revision_of(world, "big"): 20})
    live(world)

    assert direct is False
    assert world.observe().is_through_router
