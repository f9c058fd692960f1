"""Orders of `kubectl modelfleet`, carried out by the operator's own decisions."""

import pytest

from kubectl_modelfleet.seen.deployment import read_deployment
from kubectl_modelfleet.steering import orders
from kubectl_modelfleet.steering.errors import Refused
from kubectl_modelfleet.steering.orders import Needless, standing_of_order
from kubectl_modelfleet.steering.standing import Outcome
from model_operator.domain.routing.traffic import Ports
from model_operator.domain.seen.observed import Routing
from rollout_world import change, live, pass_time, promoted, served

PAUSES = [{"weight": 10, "pause": True}, {"weight": 50, "pause": True}]


def seen(world):
    return read_deployment(world.body)


def give(world, order):
    """Annotate as the command does, then let the operator work; how far it is then."""
    world.annotate(**{order.command.value: order.text})
    assert standing_of_order(order, seen(world)).outcome is Outcome.UNDER_WAY
    live(world)
    return standing_of_order(order, seen(world)).outcome


def aborted():
    world = served()
    old, new = change(world)
    assert give(world, orders.abort(seen(world))) is Outcome.DONE
    return world, old, new


def test_an_abort_is_done_when_all_requests_are_back():
    world, old, _ = aborted()

    assert world.weights() == {old: 100, world.candidate(): 0}


def test_an_abort_is_not_done_while_routers_still_send_requests():
    world = served()
    old, new = change(world)
    world.routing = Routing(Ports(20000, 20001), {old: 90, new: 10})

    order = orders.abort(seen(world))

    assert give(world, order) is Outcome.UNDER_WAY
    assert "10 %" in standing_of_order(order, seen(world)).says


def test_a_promotion_is_done_when_the_candidate_serves():
    world = served()
    _, new = change(world)

    assert give(world, orders.promote(seen(world), one_step=False)) is Outcome.DONE
    assert world.stable() == new


def test_a_promotion_by_one_step_stops_at_the_next_one():
    world = served(steps=PAUSES)
    old, new = change(world)

    order = orders.promote(seen(world), one_step=True)

    assert give(world, order) is Outcome.DONE
    assert world.weights() == {old: 50, new: 50}
    assert order.text == f"{new}/1"


def test_a_step_is_not_passed_before_the_operator_is_at_the_next_one():
    world = served(steps=PAUSES)
    change(world)
    order = orders.promote(seen(world), one_step=True)
    world.edit(rollout={"steps": PAUSES, "paused": True})
    live(world)
    world.body["status"]["commands"] = [{"command": "promote", "value": order.text}]

    assert standing_of_order(order, seen(world)).outcome is Outcome.UNDER_WAY


def test_a_promotion_is_not_done_before_its_pods_are_ready():
    world = served()
    change(world)
    order = orders.promote(seen(world), one_step=False)
    world.annotate(promote=order.text)
    world.step()

    assert standing_of_order(order, seen(world)).outcome is Outcome.UNDER_WAY
    live(world)
    assert standing_of_order(order, seen(world)).outcome is Outcome.DONE


def test_a_promotion_stays_done_when_the_next_change_begins():
    world = served()
    change(world)
    order = orders.promote(seen(world), one_step=False)
    give(world, order)
    world.edit(model={"version": 3})
    live(world)

    assert standing_of_order(order, seen(world)).outcome is Outcome.DONE


def test_a_rollback_to_what_was_forgotten_meanwhile_has_stalled():
    world = served()
    order = orders.rollback(seen(world), "ranker-0000000000")

    assert give(world, order) is Outcome.STALLED


def test_a_retry_is_done_when_the_steps_have_begun_anew():
    world, old, new = aborted()

    assert give(world, orders.retry(seen(world))) is Outcome.DONE
    assert world.weights() == {old: 90, new: 10}


def test_a_rollback_is_done_when_the_earlier_revision_serves():
    world, old, _ = promoted()

    assert give(world, orders.rollback(seen(world), old)) is Outcome.DONE
    assert world.stable() == old


def test_orders_given_again_and_again_work_each_time():
    world = served(steps=PAUSES)
    old, new = change(world)
    outcomes = []
    for _ in range(3):
        outcomes.append(give(world, orders.promote(seen(world), one_step=True)))
        assert world.weights()[new] == 50
        outcomes.append(give(world, orders.abort(seen(world))))
        assert world.weights()[old] == 100
        outcomes.append(give(world, orders.retry(seen(world))))
        assert world.weights()[new] == 10
    outcomes.append(give(world, orders.promote(seen(world), one_step=False)))

    assert set(outcomes) == {Outcome.DONE}
    assert world.stable() == new


def test_a_promotion_past_all_steps_works_again_after_an_abort():
    world = served()
    _, new = change(world)
    world.make_ready(new, 0)
    world.annotate(promote=new)
    live(world, new)  # it is past its steps, and has no pods that could serve
    world.annotate(abort=new)
    live(world, new)
    give(world, orders.retry(seen(world)))

    order = orders.promote(seen(world), one_step=False)

    assert order.text == f"{new}/1000"
    assert give(world, order) is Outcome.DONE


def test_a_rollback_to_the_same_revision_works_again_later():
    world, old, _ = promoted()
    give(world, orders.rollback(seen(world), old))
    world.edit(model={"version": 3})
    live(world)
    give(world, orders.promote(seen(world), one_step=False))

    order = orders.rollback(seen(world), old)

    assert order.text == f"{old}/2"
    assert give(world, order) is Outcome.DONE


def test_a_rollback_to_what_the_spec_asks_for_ends_the_one_before_by_steps():
    world, old, new = promoted()
    give(world, orders.rollback(seen(world), old))
    pass_time(world, seconds=301)

    order = orders.rollback(seen(world), new)

    assert give(world, order) is Outcome.UNDER_WAY
    assert world.weights() == {old: 90, new: 10}


def test_an_order_that_the_operator_has_not_seen_is_not_given_twice():
    world = served()
    change(world)
    order = orders.abort(seen(world))
    world.annotate(abort=order.text)

    again = orders.abort(seen(world))

    assert again.is_given(seen(world))
    assert again == order


def test_an_order_in_whose_place_somebody_put_another_has_stalled():
    world = served()
    change(world)
    order = orders.abort(seen(world))
    world.annotate(abort="somebody-elses")

    assert standing_of_order(order, seen(world)).outcome is Outcome.STALLED


@pytest.mark.parametrize("verb", ["promote", "abort", "retry"])
def test_an_order_whose_candidate_was_replaced_has_stalled(verb):
    world = aborted()[0] if verb == "retry" else served()
    if verb != "retry":
        change(world)
    order = {
        "promote": lambda: orders.promote(seen(world), one_step=False),
        "abort": lambda: orders.abort(seen(world)),
        "retry": lambda: orders.retry(seen(world)),
    }[verb]()
    world.edit(model={"version": 3})

    assert give(world, order) is Outcome.STALLED


def test_what_is_done_needs_no_order():
    world, _, new = promoted()
    other, _, _ = aborted()

    assert isinstance(orders.rollback(seen(world), new), Needless)
    assert isinstance(orders.abort(seen(other)), Needless)


def without_a_candidate():
    return served()


def under_way():
    world = served()
    change(world)
    return world


def turned_away():
    return aborted()[0]


def without_steps():
    world = served(steps=[])
    world.edit(model={"version": 2})
    world.step()
    world.settle()
    return world


def given_up_without_steps():
    world = without_steps()
    world.wait(seconds=601)
    world.settle()
    return world


@pytest.mark.parametrize(
    ("state", "verb", "says", "hint"),
    [
        (without_a_candidate, "promote", "no candidate to promote; Serving", "history ranker"),
        (without_a_candidate, "abort", "no candidate to abort; Serving", "history ranker"),
        (without_a_candidate, "retry", "no candidate to retry; Serving", "history ranker"),
        (under_way, "retry", "was not aborted; next: ", ""),
        (turned_away, "promote", "was aborted, and nothing promotes it", "retry ranker"),
        (without_steps, "promote", "takes no steps", "status ranker"),
        (without_steps, "abort", "takes no steps", "rollback ranker --to ranker-"),
        (given_up_without_steps, "retry", "takes no steps", "progressDeadlineSeconds"),
    ],
)
def test_an_order_that_would_do_nothing_is_refused_with_what_to_do(state, verb, says, hint):
    deployment = seen(state())
    decide = {
        "promote": lambda: orders.promote(deployment, one_step=False),
        "abort": lambda: orders.abort(deployment),
        "retry": lambda: orders.retry(deployment),
    }[verb]

    with pytest.raises(Refused, match=says) as refused:
        decide()

    assert hint in refused.value.hint
