"""Statuses of an older, a newer or a mistaken operator: something is always shown."""

import copy
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubectl_modelfleet.screen import plain_lines
from kubectl_modelfleet.seen.deployment import read_deployment
from kubectl_modelfleet.seen.history import read_history
from kubectl_modelfleet.seen.pods import read_pods
from kubectl_modelfleet.steering import orders
from kubectl_modelfleet.steering.errors import Refused
from kubectl_modelfleet.steering.orders import Order
from kubectl_modelfleet.steering.rollback import former_target
from kubectl_modelfleet.steering.standing import Outcome, standing_of
from kubectl_modelfleet.tree.deployment import tree_of
from kubectl_modelfleet.tree.history import rows_of
from rollout_world import change, served
from simulated_world import NOON

VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["2026-01-01T12:00:00Z", "2026-01-01T12:00:00", "True", "Aborted"]),
    st.lists(st.none(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def a_rollout():
    world = served()
    change(world)
    return world.body


ROLLOUT = a_rollout()


def places(value, path=()):
    """The paths of all values in a document."""
    below = value.items() if isinstance(value, dict) else ()
    below = enumerate(value) if isinstance(value, list) else below
    for key, item in list(below):
        yield (*path, key)
        yield from places(item, (*path, key))


def replaced(body, path, value):
    found = copy.deepcopy(body)
    *above, last = path
    inner = found
    for key in above:
        inner = inner[key]
    inner[last] = value
    return found


def everything_is_shown(body):
    deployment = read_deployment(body)
    lines = plain_lines(tree_of(deployment, read_pods([body]), NOON + timedelta(seconds=1)))
    rows = rows_of(deployment, read_history([body]), NOON)
    standing_of(deployment)
    for decide in (
        lambda: orders.promote(deployment, one_step=True),
        lambda: orders.promote(deployment, one_step=False),
        lambda: orders.abort(deployment),
        lambda: orders.retry(deployment),
        lambda: orders.rollback(deployment, former_target(deployment, read_history([body]))),
    ):
        try:
            order = decide()
        except Refused:
            continue
        if isinstance(order, Order):
            orders.standing_of_order(order, deployment)
    return lines, rows


@given(path=st.sampled_from(list(places(ROLLOUT))), value=VALUES)
def test_one_wrong_value_anywhere_ends_nothing(path, value):
    lines, rows = everything_is_shown(replaced(ROLLOUT, path, value))

    assert lines
    assert len(rows) == 1


@given(VALUES)
def test_no_object_at_all_ends_nothing(value):
    assert everything_is_shown({"metadata": value, "spec": value, "status": value})


@given(st.text(max_size=30))
def test_no_text_of_a_status_moves_the_cursor(text):
    body = replaced(ROLLOUT, ("status", "next"), text)

    lines, _ = everything_is_shown(body)

    assert all(line.isprintable() for line in lines)


def test_of_what_a_newer_operator_adds_states_and_conditions_are_shown():
    body = copy.deepcopy(ROLLOUT)
    body["status"] |= {"mood": "good"}
    body["status"]["candidate"] |= {"state": "Dancing", "tempo": 120}
    body["status"]["conditions"].append(
        {"type": "Merry", "status": "True", "reason": "Spring", "message": "it is warm"}
    )
    body["status"]["conditions"].append({"type": "Sad", "status": "False"})

    lines, _ = everything_is_shown(body)

    assert any("Dancing" in line for line in lines)
    assert "├── Merry=True Spring: it is warm" in lines
    assert not any("Sad" in line for line in lines)


def test_a_status_of_an_operator_that_wrote_less_is_shown_as_far_as_it_goes():
    known = {"stable": {"revision": "r-1"}, "candidate": {"revision": "r-2"}, "next": "soon"}
    body = {"metadata": {"name": "m", "namespace": "n"}, "status": known}

    lines, _ = everything_is_shown(body)

    assert lines == [
        "m in n",
        "├── no conditions: no operator has seen it yet",
        "├── stable · r-1 · version ?",
        "├── candidate · r-2 · version ?",
        "├── former · no revision",
        "│   └── pod m · Unknown",
        "└── next: soon",
    ]


@pytest.mark.parametrize("status", ["Unknown", "", "true"])
def test_a_condition_that_is_not_plainly_true_is_not_done(status):
    body = copy.deepcopy(ROLLOUT)
    body["status"]["conditions"] = [{"type": "Ready", "status": status}]

    assert standing_of(read_deployment(body)).outcome is Outcome.UNDER_WAY
