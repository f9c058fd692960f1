"""What ends by itself: changes at their deadline, and history beyond its limit."""

import pytest

from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.troubles import Trouble

PENDING = Trouble("Unschedulable", "0/3 nodes are available")


def test_what_is_not_ready_by_the_deadline_is_stalled(serving):
    serving.edit(model={"version": 2})
    serving.settle()
    serving.wait(minutes=10)

    plan = serving.step()

    assert serving.condition("Stalled")["reason"] == "ProgressDeadlineExceeded"
    assert serving.condition("Reconciling")["status"] == "absent"
    assert serving.condition("Available")["status"] == "True"
    assert [item.reason for item in plan.announcements] == ["ProgressDeadlineExceeded"]


def test_a_change_that_is_late_is_given_up_and_the_old_revision_goes_on(serving):
    old = serving.stable()
    serving.edit(model={"version": 2})
    serving.settle()
    new = serving.candidate()
    serving.pods = (Pod("ranker-x", new, "", False, False, PENDING),)
    serving.wait(minutes=10)
    serving.settle()
    serving.pods = ()
    serving.wait(minutes=10)

    serving.settle()

    assert serving.deployments() == [old]
    assert serving.routed() == old
    message = serving.condition("Stalled")["message"]
    assert message.startswith(
        "version 2 was given up: it did not have 1 ready replica within 600 s"
    )
    assert "Unschedulable: pod ranker-x: 0/3 nodes" in message
    assert [item["name"] for item in serving.body["status"]["revisions"] if "aborted" in item] == [
        new
    ]
    assert serving.plan().again_at is None


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"model": {"version": 3}}, id="another version"),
        pytest.param({"rollout": {"progressDeadlineSeconds": 3600}}, id="more time"),
    ],
)
def test_a_change_that_was_given_up_goes_on_when_the_user_says_so(serving, edit):
    serving.edit(model={"version": 2})
    serving.settle()
    serving.wait(minutes=10)
    serving.settle()

    serving.edit(**edit)
    serving.settle()

    assert len(serving.deployments()) == 2
    assert serving.condition("Stalled")["status"] == "absent"


def test_the_time_of_a_change_begins_anew_when_its_suspension_ends(serving):
    serving.edit(model={"version": 2})
    serving.settle()
    serving.edit(suspend=True)
    serving.settle()
    serving.wait(minutes=30)
    serving.edit(suspend=False)

    serving.settle()

    assert len(serving.deployments()) == 2
    assert serving.condition("Reconciling")["status"] == "True"
    assert serving.condition("Paused")["status"] == "absent"


def test_a_change_is_not_given_up_while_there_is_nothing_to_go_back_to(serving):
    serving.edit(model={"version": 2})
    serving.settle()
    serving.make_ready(serving.stable(), 0)
    serving.wait(minutes=11)
    serving.settle()
    late = serving.condition("Stalled")["status"]
    serving.make_ready(serving.candidate(), 1)

    serving.settle()

    assert late == "True"
    assert serving.condition("Ready")["status"] == "True"
    assert serving.condition("Stalled")["status"] == "absent"


def test_a_first_revision_that_is_late_is_stalled_and_serves_when_it_is_ready_after_all(world):
    world.settle()
    world.wait(minutes=11)
    world.settle()
    late = world.condition("Stalled")["reason"]
    world.make_ready(world.candidate(), 1)

    world.settle()

    assert late == "ProgressDeadlineExceeded"
    assert world.condition("Ready")["status"] == "True"
    assert world.condition("Stalled")["status"] == "absent"


def test_history_is_kept_to_ten_idle_revisions(serving):
    for version in range(2, 16):
        serving.edit(model={"version": version})
        serving.settle()
        serving.make_ready(serving.candidate(), 1)
        serving.settle()

    records = [key for key in serving.children if key.kind == "ControllerRevision"]

    assert len(records) == 11


@pytest.mark.parametrize("limit", [0, 3])
def test_history_is_kept_as_long_as_the_user_wants(serving, limit):
    serving.edit(rollout={"historyLimit": limit})
    for version in range(2, 8):
        serving.edit(model={"version": version})
        serving.settle()
        serving.make_ready(serving.candidate(), 1)
        serving.settle()

    records = [key.name for key in serving.children if key.kind == "ControllerRevision"]

    assert len(records) == limit + 1
    assert serving.stable() in records


def test_what_serves_is_remembered_even_if_no_history_is_wanted(serving):
    serving.edit(model={"version": 2}, rollout={"historyLimit": 0})

    serving.settle()

    records = {key.name for key in serving.children if key.kind == "ControllerRevision"}
    assert records == {serving.stable(), serving.candidate()}
