"""Which record is programmed when a newer one cannot be yet, and who gets a port."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from model_router.record.endpoints import Endpoint
from model_router.record.traffic import Match, Shadow, Share, TrafficRecord
from model_router.router.wanted import answerable, choose, port_conflicts

POD = (Endpoint("10.0.0.1", 8500, 8501),)
STABLE = TrafficRecord("m", 20000, 20001, timedelta(seconds=30), (Share("m-a", 100),))
CANARY = replace(STABLE, split=(Share("m-a", 90), Share("m-b", 10)))
SWITCHED = replace(STABLE, split=(Share("m-a", 0), Share("m-b", 100)))
CHOSEN = replace(STABLE, matches=(Match("x-cohort", "big", False, "m-big"),))
SHADOWED = replace(STABLE, shadow=Shadow("m-shadow", 10))
WARM = replace(STABLE, split=(Share("m-a", 100), Share("m-b", 0)))


@pytest.mark.parametrize(
    ("newest", "in_force", "pods", "chosen"),
    [
        pytest.param(STABLE, None, {}, STABLE, id="the first record is taken as it is"),
        pytest.param(CANARY, STABLE, {"m-a": POD}, STABLE, id="a candidate has no pods yet"),
        pytest.param(CANARY, STABLE, {"m-a": POD, "m-b": POD}, CANARY, id="a candidate has pods"),
        pytest.param(SWITCHED, CANARY, {"m-a": POD}, CANARY, id="a candidate has lost its pods"),
        pytest.param(STABLE, CANARY, {"m-a": POD}, STABLE, id="an abort needs nothing new"),
        pytest.param(WARM, STABLE, {"m-a": POD}, WARM, id="weight 0 needs no pods"),
        pytest.param(CANARY, STABLE, {}, CANARY, id="nothing answers anyway"),
        pytest.param(CHOSEN, STABLE, {"m-a": POD}, STABLE, id="a variant has no pods yet"),
        pytest.param(
            CHOSEN, STABLE, {"m-a": POD, "m-big": POD}, CHOSEN, id="a variant has its pods"
        ),
        pytest.param(CHOSEN, CHOSEN, {"m-a": POD}, CHOSEN, id="a variant has lost its pods"),
        pytest.param(SHADOWED, STABLE, {"m-a": POD}, SHADOWED, id="a shadow keeps nobody waiting"),
    ],
)
def test_weight_waits_for_pods_while_the_split_before_still_answers(newest, in_force, pods, chosen):
    assert choose(newest, in_force, pods).record == chosen


def test_a_split_that_waits_says_for_what():
    held = choose(CANARY, STABLE, {"m-a": POD}).held

    assert held == "split: 10 % for m-b, which has no ready pods; the split before stays"


def shares(*weights):
    names = ("m-a", "m-b", "m-c")
    return tuple(Share(name, weight) for name, weight in zip(names, weights, strict=False))


@pytest.mark.parametrize(
    ("split", "pods", "possible"),
    [
        pytest.param((90, 10), "ab", (90, 10), id="all have pods"),
        pytest.param((90, 10), "a", (100, 0), id="a candidate has lost its pods"),
        pytest.param((90, 10), "b", (0, 100), id="the stable one has lost its pods"),
        pytest.param((90, 10), "", (90, 10), id="nobody has any"),
        pytest.param((100, 0), "b", (100, 0), id="what gets nothing stands in for nobody"),
        pytest.param((50, 30, 20), "bc", (0, 80, 20), id="the heaviest stands in"),
        pytest.param((50, 30, 20), "ab", (70, 30, 0), id="no others move"),
    ],
)
def test_a_revision_without_pods_gets_no_requests_while_another_can_answer(split, pods, possible):
    endpoints = {f"m-{letter}": POD for letter in pods}

    found = answerable(replace(STABLE, split=shares(*split)), endpoints)

    assert found.split == shares(*possible)


def test_headers_do_not_choose_a_revision_without_pods():
    assert answerable(CHOSEN, {"m-a": POD}).matches == ()
    assert answerable(CHOSEN, {"m-a": POD, "m-big": POD}) == CHOSEN


def at(name, grpc, rest):
    return replace(STABLE, name=name, grpc_port=grpc, rest_port=rest)


@pytest.mark.parametrize(
    ("records", "in_force", "conflicts"),
    [
        pytest.param([at("a", 1, 2), at("b", 3, 4)], [], {}, id="no port twice"),
        pytest.param(
            [at("b", 2, 3), at("a", 1, 2)],
            [],
            {"b": "ports: 2 belongs to a"},
            id="of two new ones the first by name",
        ),
        pytest.param(
            [at("a", 2, 3), at("b", 1, 2)],
            [at("b", 1, 2)],
            {"a": "ports: 2 belongs to b"},
            id="who listens already keeps it",
        ),
        pytest.param(
            [at("a", 5, 6), at("b", 1, 2)],
            [at("a", 1, 2)],
            {"b": "ports: 1 belongs to a"},
            id="a port is free when its owner has really left it",
        ),
    ],
)
def test_a_port_belongs_to_one_model(records, in_force, conflicts):
    found = port_conflicts({r.name: r for r in records}, {r.name: r for r in in_force})

    assert found == conflicts
