"""Variants, a shadow and the treatment of requests are read from a spec, or refused by name."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.routing.headers import HeaderMatch, Requests
from model_operator.domain.wish.arms import Arm
from model_operator.domain.wish.model import Model, Scheme, Source
from model_operator.domain.wish.spec import parse
from simulated_world import model_deployment
from written_arms import BIG, matched, variants

RANKER = Source(Scheme.PVC, "models", "ranker")


def test_without_them_there_is_the_main_model_alone():
    deployment = parse(model_deployment())

    assert deployment.arms == ()
    assert deployment.requests == Requests("", 30, 0)


def test_a_variant_is_the_main_model_but_for_what_it_overrides():
    other = {"version": 1, "uri": "pvc://others/tiny", "platform": "onnx"}
    variants = [BIG, {"name": "tiny", "model": other, "replicas": 3, "weight": 0}]
    spec = model_deployment(model={"name": "rank", "platform": "tflite"}, variants=variants)

    big, tiny = parse(spec).variants

    assert big == Arm("big", Model("rank", RANKER, 9, "tflite"), 1, 20)
    assert tiny.model == Model("rank", Source(Scheme.PVC, "others", "tiny"), 1, "onnx")
    assert tiny.replicas == 3


def test_a_variant_may_be_chosen_by_headers():
    match = [{"header": "x-cohort", "exact": "big"}, {"header": "x-user-id", "regex": "test-.*"}]
    spec = model_deployment(variants=[{"name": "big", "model": {"version": 9}, "match": match}])

    (big,) = parse(spec).variants

    assert big.weight == 0
    assert big.matches == (
        HeaderMatch("x-cohort", "big", is_regex=False),
        HeaderMatch("x-user-id", "test-.*", is_regex=True),
    )


def test_the_shadow_is_the_last_arm():
    shadow = {"model": {"version": 10}, "percent": 10, "replicas": 2}
    deployment = parse(model_deployment(variants=[BIG], shadow=shadow))

    big, last = deployment.arms

    assert (big.is_shadow, last.is_shadow) == (False, True)
    assert last == Arm("shadow", Model("ranker", RANKER, 10), 2, copied_percent=10)


def test_an_arm_runs_as_the_deployment_but_without_steps():
    deployment = parse(
        model_deployment(
            serving={"args": ["--x"]}, rollout={"steps": [{"weight": 5}]}, variants=[BIG]
        )
    )

    runs = deployment.of_arm(deployment.variants[0])

    assert (runs.arm_name, runs.model.version, runs.replicas) == ("big", 9, 1)
    assert runs.serving == deployment.serving
    assert runs.rollout.steps == ()
    assert runs.arms == ()


def test_the_treatment_of_requests_is_read():
    traffic = {"stickyHeader": "x-user-id", "timeoutSeconds": 5, "maxConcurrentRequests": 64}

    assert parse(model_deployment(traffic=traffic)).requests == Requests("x-user-id", 5, 64)


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        pytest.param(variants({"name": "Big"}), "spec.variants[0].name", id="capitals"),
        pytest.param(variants({"name": "shadow"}), "spec.variants[0].name", id="the shadow's name"),
        pytest.param(variants({}, {"weight": 3}), "spec.variants: a name", id="a name twice"),
        pytest.param(
            variants({"weight": 50}, {"name": "b", "weight": 50}),
            "spec.variants: weights may be 99 together",
            id="nothing left for the main model",
        ),
        pytest.param(variants({"weight": 100}), "spec.variants[0].weight", id="it all"),
        pytest.param(variants({"weight": -1}), "spec.variants[0].weight", id="less than nothing"),
        pytest.param(variants({"match": []}), "spec.variants[0]: has either", id="both"),
        pytest.param(
            {"variants": [{"name": "big", "model": {"version": 9}}]},
            "spec.variants[0]: has either",
            id="neither",
        ),
        pytest.param(variants({"model": {}}), "spec.variants[0].model.version", id="no version"),
        pytest.param(
            variants({"model": {"version": 1, "name": "x"}}),
            "spec.variants[0].model.name: is that of the main model",
            id="a name that clients do not ask for",
        ),
        pytest.param(
            variants({"model": {"version": 1, "uri": "ftp://x"}}),
            "spec.variants[0].model.uri",
            id="an unknown scheme",
        ),
        pytest.param(
            variants({"model": {"version": 1, "uri": "file:///srv/m"}}),
            "spec.variants[0].model.uri: file:// is switched off",
            id="a folder of the node",
        ),
        pytest.param(variants({"replicas": -1}), "spec.variants[0].replicas", id="replicas"),
        pytest.param(
            variants(*({"name": f"v{number}", "weight": 1} for number in range(9))),
            "spec.variants: may be 8",
            id="too many",
        ),
        pytest.param(matched(), "spec.variants[0].match[0]: needs either", id="no value"),
        pytest.param(matched(exact="a", regex="a"), "spec.variants[0].match[0]: needs", id="two"),
        pytest.param(matched(exact="\n"), "spec.variants[0].match[0].exact", id="a line's end"),
        pytest.param(matched(exact="a" * 257), "spec.variants[0].match[0].exact", id="too long"),
        pytest.param(
            matched(regex="a", header="X-A"), "spec.variants[0].match[0].header", id="header"
        ),
        pytest.param(
            matched(regex="("), "spec.variants[0].match[0].regex: is no regular", id="no regex"
        ),
        pytest.param(
            matched(regex="(?=a)"), "spec.variants[0].match[0].regex: is no regular", id="no RE2"
        ),
        pytest.param(
            matched(regex="[a-z]{99}"),
            "spec.variants[0].match[0].regex: is too large: its program has 103 steps",
            id="more than Envoy takes",
        ),
        pytest.param(
            {"shadow": {"model": {"version": 1}, "percent": 101}},
            "spec.shadow.percent",
            id="percent",
        ),
        pytest.param({"shadow": {"percent": 1}}, "spec.shadow.model: is required", id="no model"),
        pytest.param({"traffic": {"stickyHeader": "X"}}, "spec.traffic.stickyHeader", id="sticky"),
        pytest.param({"traffic": {"timeoutSeconds": 0}}, "spec.traffic.timeoutSeconds", id="time"),
        pytest.param(
            {"traffic": {"maxConcurrentRequests": 1e3}},
            "spec.traffic.maxConcurrentRequests",
            id="limit",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(spec, field):
    with pytest.raises(InvalidSpec) as refused:
        parse(model_deployment(**spec))

    assert str(refused.value).startswith(field)
