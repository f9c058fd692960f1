"""What goes wrong in the midst of a rollout, or is asked for by mistake, and ends well."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.wish.rollout import parse_rollout
from rollout_world import change, live, pass_time, replicas, served


def at_50_percent(**rollout):
    """A world in which version 2 has half of the requests."""
    world = served(**rollout)
    old, new = change(world)
    pass_time(world, seconds=60)
    assert world.weights() == {old: 50, new: 50}
    return world, old, new


def test_a_third_version_that_comes_at_50_percent_begins_at_the_first_step():
    world, old, second = at_50_percent()
    world.edit(model={"version": 3})

    world.step()
    moved = world.weights()
    live(world)
    pass_time(world, seconds=10)

    assert moved[old] == 100
    assert world.weights() == {old: 90, world.candidate(): 10}
    assert second not in world.deployments()


def test_a_candidate_that_crashes_at_50_percent_gives_all_back_in_one_pass():
    world, old, new = at_50_percent()
    world.make_ready(new, 0)

    world.step()

    assert world.weights() == {old: 100, new: 0}
    assert world.condition("Available")["status"] == "True"


def test_a_candidate_that_goes_on_crashing_is_aborted_at_the_deadline():
    world, old, new = at_50_percent(progressDeadlineSeconds=300)
    world.make_ready(new, 0)
    live(world, new)
    world.wait(seconds=360)
    live(world, new)
    pass_time(world, seconds=30)

    assert world.condition("Stalled")["reason"] == "ProgressDeadlineExceeded"
    assert world.weights() == {old: 100}
    assert world.deployments() == [old]


def test_an_abort_at_50_percent_takes_one_pass_and_asks_for_no_pod():
    world, old, new = at_50_percent()
    before = replicas(world, old)
    world.annotate(abort=new)

    plan = world.step()

    assert world.weights() == {old: 100, new: 0}
    assert "Deployment" not in {manifest["kind"] for manifest in plan.apply}
    assert replicas(world, old) == before == 4


def test_without_its_steps_a_candidate_gives_all_back_until_all_its_pods_are_ready():
    world, old, new = at_50_percent()
    world.edit(rollout={"steps": []})

    world.step()
    between = world.weights()
    live(world)

    assert between == {old: 100, new: 0}
    assert world.weights()[new] == 100
    assert world.stable() == new


@pytest.mark.parametrize(
    "orders",
    [
        pytest.param({"abort", "promote"}, id="abort and promote"),
        pytest.param({"abort", "retry"}, id="abort and retry"),
        pytest.param({"abort", "promote", "retry"}, id="all at once"),
    ],
)
def test_of_orders_that_contradict_each_other_abort_counts(orders):
    world, old, new = at_50_percent()
    world.annotate(**dict.fromkeys(orders, new))

    live(world)

    assert world.weights()[old] == 100
    assert world.condition("Stalled")["reason"] == "Aborted"


@pytest.mark.parametrize(
    "text", ["", " ", "/", "a/b/c", "x" * 100_000, "ranker", "🦊", "{NEW}x", "{NEW} {NEW}"]
)
@pytest.mark.parametrize("command", ["abort", "promote", "retry", "rollback"])
def test_an_order_that_names_no_revision_changes_nothing_and_is_settled(command, text):
    world, old, new = at_50_percent()
    world.annotate(**{command: text.replace("{NEW}", new)})

    live(world)

    assert world.weights() == {old: 50, new: 50}
    assert world.plan().announcements == ()
    assert len(str(world.body["status"]["commands"] if text.strip() else "")) < 1000


@pytest.mark.parametrize("past", ["-1", "1.5", "one", "1e9", "9" * 150])
def test_a_promotion_past_what_is_no_step_never_skips_the_pods(past):
    world = served()
    old, new = change(world)
    world.annotate(promote=f"{new}/{past}")

    world.step()

    assert world.weights() == {old: 90, new: 10}


@pytest.mark.parametrize(
    ("steps", "field", "says"),
    [
        ([{"weight": 50}, {"weight": 10}], "steps", "must rise"),
        ([{"weight": 10}, {"weight": 10}], "steps", "must rise"),
        ([{"weight": 100}], "steps", "99 or less"),
        ([{"weight": 0}], r"steps\[0\]\.weight", "1 or more"),
        ([{"weight": True}], r"steps\[0\]\.weight", "whole number"),
        ([{"weight": 1.5}], r"steps\[0\]\.weight", "whole number"),
        ([{}], r"steps\[0\]\.weight", "whole number"),
        (
            [{"weight": 5}, {"weight": 9, "holdSeconds": -1}],
            r"steps\[1\]\.holdSeconds",
            "0 or more",
        ),
        ([{"weight": 5, "pause": True, "holdSeconds": 9}], r"steps\[0\]", "not both"),
    ],
)
def test_steps_that_never_can_be_are_refused_by_their_field(steps, field, says):
    with pytest.raises(InvalidSpec, match=rf"^spec\.rollout\.{field}: .*{says}"):
        parse_rollout({"steps": steps})
