"""What `kubectl modelfleet status` shows of statuses that the operator writes."""

from datetime import timedelta

import pytest

from group_world import served as divided_and_served
from kubectl_modelfleet.screen import plain_lines
from kubectl_modelfleet.seen.deployment import read_deployment
from kubectl_modelfleet.seen.pods import read_pods
from kubectl_modelfleet.tree.deployment import tree_of
from model_operator.domain.evidence.counts import Tally, Told
from model_operator.domain.routing.traffic import Ports
from model_operator.domain.seen.observed import Routing
from rollout_world import PORTS, change, live, pass_time, promoted, served
from simulated_world import NOON, World

LATER = NOON + timedelta(minutes=2, seconds=5)


def shown(world, pods=(), now=None):
    """The tree as a pipe gets it, with short names for the revisions."""
    deployment = read_deployment(world.body)
    seen = None if pods is None else read_pods(pods)
    text = "\n".join(plain_lines(tree_of(deployment, seen, now or world.now)))
    for short, long in world.names.items():
        text = text.replace(long, short)
    return text


def named(world, **names):
    world.names = names
    return world


def programmed(world, **weights):
    """All routers say that they do this."""
    world.routing = Routing(Ports(20000, 20001), weights)
    live(world)


def pod(revision, name, **status):
    metadata = {"name": name, "labels": {"modelfleet.dev/revision": revision}}
    return {
        "metadata": metadata | {"creationTimestamp": "2026-01-01T11:00:00Z"},
        "spec": {"nodeName": "node-1"},
        "status": {"phase": "Running"} | status,
    }


READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def test_a_model_at_rest():
    world = served()
    old = world.stable()
    programmed(world, **{old: 100})

    assert shown(named(world, old=old), [pod(old, "old-1", **READY)]) == (
        "ranker in shop\n"
        "├── Ready=True Serving: version 1 serves with 4 replicas\n"
        "├── Available=True Answering: revision old answers\n"
        "└── stable · old · version 1 · 4/4 ready · 100 %\n"
        "    └── pod old-1 · Ready · node-1 · 1h0m"
    )


def members(revision, number, ready):
    """The pods of a group of two, the first so many of them ready."""
    group = f"{revision}-{number}"
    for place in range(2):
        body = pod(revision, f"{group}-{place}", **(READY if place < ready else {}))
        body["metadata"]["labels"]["modelfleet.dev/group"] = group
        yield body


def test_groups_stand_above_their_members_and_those_that_are_not_whole_above_others():
    world = divided_and_served(replicas=2)
    old = world.stable()

    tree = shown(named(world, old=old), [*members(old, 0, ready=2), *members(old, 1, ready=1)])

    assert tree.partition("2/2 ready · 100 %\n")[2] == (
        "    ├── group 1 · 1/2 members ready\n"
        "    │   ├── member 1 · NotReady · node-1 · 1h0m\n"
        "    │   └── member 0 · Ready · node-1 · 1h0m\n"
        "    └── group 0 · 2/2 members ready\n"
        "        ├── member 0 · Ready · node-1 · 1h0m\n"
        "        └── member 1 · Ready · node-1 · 1h0m"
    )


def test_of_many_groups_the_whole_ones_hide_their_members():
    world = divided_and_served(replicas=14)
    old = world.stable()
    pods = [body for number in range(14) for body in members(old, number, ready=2)]

    tree = shown(named(world, old=old), pods)

    assert tree.count("group ") == 12
    assert tree.count("member ") == 0
    assert tree.endswith("… and 2 more groups")


def test_a_candidate_on_its_steps_with_what_routers_say():
    world = served()
    old, new = change(world)
    programmed(world, **{old: 90, new: 10})
    waiting = {"state": {"waiting": {"reason": "ImagePullBackOff"}}, "restartCount": 3}

    tree = shown(
        named(world, old=old, new=new),
        [
            pod(new, "new-1", **READY),
            pod(new, "new-2", containerStatuses=[waiting]),
            pod("gone", "gone-1", **READY),
        ],
        now=world.now + timedelta(seconds=41),
    )

    assert tree == (
        "ranker in shop\n"
        "├── Ready=False Progressing: version 2 is at 10 %\n"
        "├── Available=True Answering: revision old answers\n"
        "├── stable · old · version 1 · 4/4 ready · 90 %\n"
        "├── candidate · new · version 2 · 1/1 ready · 10 %\n"
        "│   ├── step 1 of 3 ([10] 50 100 %): Holding for 41s\n"
        "│   ├── pod new-2 · ImagePullBackOff · 3 restarts · node-1 · 1h0m\n"
        "│   └── pod new-1 · Ready · node-1 · 1h0m\n"
        "├── former · gone\n"
        "│   └── pod gone-1 · Ready · node-1 · 1h0m\n"
        "└── next: new: 50 % at 2026-01-01T12:01:00Z"
    )


def test_an_aborted_candidate_and_what_to_do():
    world = served()
    old, new = change(world)
    world.annotate(abort=new)
    live(world)

    assert shown(named(world, old=old, new=new), None) == (
        "ranker in shop\n"
        "├── Ready=False Aborted: version 2 was aborted: a user aborted it\n"
        "├── Available=True Answering: revision old answers\n"
        "├── Stalled=True\n"
        "├── stable · old · version 1 · 4/4 ready · 100 % wanted, programmed: unknown\n"
        "├── aborted · new · version 2 · 1/1 ready\n"
        "│   ├── step 1 of 3 ([10] 50 100 %): Aborted for 0s\n"
        "│   └── Aborted: a user aborted it\n"
        "├── next: new: change spec, or set modelfleet.dev/retry to try it again\n"
        "└── pods are not shown: you may not list them here"
    )


def test_a_former_revision_that_is_warm_and_a_rollback_to_it():
    world, old, new = promoted()
    warm = shown(named(world, old=old, new=new))
    world.annotate(rollback=old)
    live(world)
    back = shown(world)
    pass_time(world, seconds=301)

    assert "└── warm for 5m0s · old · version 1 · 4/4 ready" in warm
    assert "├── stable · old · version 1 · 4/4 ready" in back
    assert back.endswith("└── rolled back: old serves although spec asks for new")
    assert "warm" not in shown(world)


def test_a_candidate_that_another_took_the_place_of_is_leaving():
    world = served()
    old, second = change(world)
    world.edit(model={"version": 3})
    live(world)

    says = shown(named(world, old=old, second=second, third=world.candidate()))

    assert "├── leaving · second · version 2 · 1/1 ready" in says


def test_a_pause_is_a_condition_and_says_how_it_ends():
    world = served(steps=[{"weight": 10, "pause": True}])
    old, new = change(world)

    tree = shown(named(world, old=old, new=new))

    assert "├── Paused=True Paused: version 2 is paused: promoted when" in tree
    assert "step 1 of 2 ([10] 100 %): Paused for 0s" in tree


def test_what_keeps_a_revision_stands_below_it():
    world = served()
    old, new = change(world)
    [item] = [item for item in world.body["status"]["revisions"] if item["name"] == new]
    item["message"] = "LoadFailed: no such\n  \x1b[31mfile"

    assert "│   ├── step" in (tree := shown(named(world, old=old, new=new)))
    assert "│   └── LoadFailed: no such  [31mfile" in tree


def test_an_edit_that_no_operator_has_seen_is_told():
    world = served()
    world.edit(model={"version": 2})

    assert shown(named(world)).endswith("└── the operator has not seen the newest spec yet")


def test_an_object_that_no_operator_has_seen():
    assert shown(named(World())) == (
        "ranker in shop\n└── no conditions: no operator has seen it yet"
    )


def test_of_many_pods_those_that_are_not_ready_come_first_and_the_rest_is_counted():
    world = served()
    old = world.stable()
    pods = [pod(old, f"p-{n:02}", **READY) for n in range(20)] + [pod(old, "slow")]

    lines = shown(named(world), pods).splitlines()

    assert "pod slow · NotReady" in lines[4]
    assert lines[-1].endswith("… and 9 more pods")


def test_a_verdict_is_told_with_the_numbers_that_led_to_it():
    world = served(analysis={"maxErrorPercentAboveStable": 1, "maxP99Milliseconds": 50})
    old, new = change(world)
    tallies = {old: Tally(4000, 4, 0, {11.0: 3996}), new: Tally(500, 1, 0, {12.0: 499})}
    world.routing = Routing(PORTS, told=(Told("r-1", "1", world.weights(), tallies),))
    live(world)

    assert (
        "│   ├── step 1 of 3 ([10] 50 100 %): Holding for 0s\n"
        "│   └── analysis: Pass, 500 requests: error rate 0.2 % of 500 requests, p99 12 ms\n"
    ) in shown(named(world, old=old, new=new))


def test_variants_and_the_shadow_stand_below_the_main_model_with_what_they_lack():
    world = served()
    old = world.stable()
    world.edit(
        variants=[{"name": "big", "model": {"version": 9}, "weight": 20}],
        shadow={"model": {"version": 10}, "percent": 10},
    )
    live(world)
    status = world.body["status"]
    big, shadow = status["variants"][0]["revision"], status["shadow"]["revision"]
    names = {"old": old, "big-1": big, "shadow-1": shadow}
    whole = shown(named(world, **names)).splitlines()
    world.make_ready(big, 0)
    world.settle()

    assert whole[3:] == [
        "├── stable · old · version 1 · 4/4 ready · 80 % wanted, programmed: unknown",
        "├── variant big · big-1 · version 9 · 1/1 ready · 20 % wanted, programmed: unknown",
        "└── shadow · shadow-1 · version 10 · 1/1 ready",
    ]
    assert "its 20 % go to the others" in shown(world).splitlines()[5]


def test_the_next_revision_of_a_variant_is_told_from_the_one_that_serves():
    world = served()
    variant = {"name": "big", "model": {"version": 9}, "weight": 20}
    world.edit(variants=[variant])
    live(world)
    world.edit(variants=[variant | {"model": {"version": 10}}])
    world.step()
    coming = world.body["status"]["variants"][0]["candidate"]["revision"]

    tree = shown(named(world, coming=coming))

    assert "variant big · ranker-" in tree
    assert "variant big, next · coming · version 10 · 0/1 ready" in tree


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"wanted": 5, "programmed": 5}, "5 %"),
        ({"wanted": 5, "programmed": 5, "observed": 4.8}, "5 %, 4.8 % observed"),
        ({"wanted": 5, "programmed": 0}, "5 % wanted, programmed: 0 %"),
        ({"wanted": 5}, "5 % wanted, programmed: unknown"),
        ({}, "?"),
    ],
    ids=str,
)
def test_a_share_is_one_number_while_all_agree(fields, says):
    world = served()
    world.body["status"]["traffic"] = [{"revision": world.stable()} | fields]

    assert shown(named(world)).splitlines()[3].endswith(f"4/4 ready · {says}")


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (READY, "Ready"),
        ({"phase": "Pending"}, "Pending"),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
                ]
            },
            "Unschedulable",
        ),
        ({"containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled"}}}]}, "OOMKilled"),
        ({"initContainerStatuses": [{"state": {"waiting": {"reason": "E"}}}]}, "E"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Running"}, "NotReady"),
        ({"phase": None}, "Unknown"),
    ],
    ids=str,
)
def test_the_state_of_a_pod_is_one_word(status, state):
    assert read_pods([pod("r", "p", **status)])[0].state == state


def test_a_pod_that_is_deleted_is_terminating_though_it_is_still_ready():
    leaving = pod("r", "p", **READY)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"

    assert read_pods([leaving])[0].state == "Terminating"
