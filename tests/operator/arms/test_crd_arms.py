"""Which variants, shadows and treatments of requests the API server accepts, and its refusals."""

import pytest

from api_server import Refused
from simulated_world import manifest
from written_arms import matched, variants

pytestmark = pytest.mark.api

OTHER = {"version": 9, "uri": "pvc://others/ranker", "platform": "onnx"}
MATCH = [{"header": "x-cohort", "exact": "big"}, {"header": "x-user-id", "regex": "test-[0-9]+"}]
EVERYTHING = {
    "variants": [
        {"name": "big", "model": OTHER, "weight": 99, "replicas": 0},
        {"name": "for-testers", "model": {"version": 0}, "match": MATCH, "replicas": 2},
        {"name": "off", "model": {"version": 3}, "weight": 0},
    ],
    "shadow": {"model": OTHER, "percent": 100, "replicas": 2},
    "traffic": {"stickyHeader": "x-user-id", "timeoutSeconds": 1, "maxConcurrentRequests": 0},
}


def test_every_field_is_accepted_and_kept_whole(api_server):
    api_server.apply(manifest(**EVERYTHING))

    spec = api_server.get("md", "ranker")["spec"]
    assert {part: spec[part] for part in EVERYTHING} == EVERYTHING


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param(
            variants({"weight": 50}, {"name": "b", "weight": 50}),
            "spec.variants: weights may be 99 together",
            id="nothing left for the main model",
        ),
        pytest.param(variants({"weight": 100}), "spec.variants[0].weight", id="it all"),
        pytest.param(variants({}, {}), "spec.variants[1]: Duplicate value", id="a name twice"),
        pytest.param(variants({"match": MATCH}), "a variant has either weight or match", id="both"),
        pytest.param(
            {"variants": [{"name": "big", "model": {"version": 9}}]},
            "a variant has either weight or match",
            id="neither",
        ),
        pytest.param(
            variants({"name": "shadow"}), "spec.variants: a name has lower-case", id="shadow"
        ),
        pytest.param(
            variants({"name": "a" * 33}), "spec.variants[0].name: Too long", id="a long name"
        ),
        pytest.param(
            variants({"model": {"version": 1, "name": "x"}}),
            'unknown field "spec.variants[0].model.name"',
            id="a name that clients do not ask for",
        ),
        pytest.param(
            variants({"model": {"uri": "pvc://a/b"}}),
            "spec.variants[0].model.version: Required",
            id="no version",
        ),
        pytest.param(
            variants({"model": {"version": 1, "uri": "ftp://a/b"}}),
            "the scheme is not known",
            id="an unknown scheme",
        ),
        pytest.param(
            matched(exact="a", regex="a"), "a match has either exact or regex", id="two values"
        ),
        pytest.param(matched(), "a match has either exact or regex", id="no value"),
        pytest.param(matched(regex="("), "missing closing )", id="no regular expression"),
        pytest.param(matched(regex="(?=a)"), "invalid or unsupported Perl syntax", id="no RE2"),
        pytest.param(matched(exact="\n"), "spec.variants[0].match[0].exact", id="a line's end"),
        pytest.param(
            matched(exact="a", header="X-A"), "spec.variants[0].match[0].header", id="capitals"
        ),
        pytest.param(
            {"shadow": {"model": {"version": 1}, "percent": 101}},
            "spec.shadow.percent",
            id="copies",
        ),
        pytest.param(
            {
                "shadow": {"model": OTHER, "percent": 1},
                "serving": {"args": ["--model_platform=tflite"]},
            },
            "the flag model_platform follows from the platform of the model",
            id="two platforms",
        ),
        pytest.param({"shadow": {"percent": 1}}, "spec.shadow.model: Required", id="no model"),
        pytest.param(
            {"traffic": {"stickyHeader": ":path"}}, "spec.traffic.stickyHeader", id="no header"
        ),
        pytest.param({"traffic": {"timeoutSeconds": 0}}, "spec.traffic.timeoutSeconds", id="time"),
    ],
)
def test_what_cannot_be_is_refused_by_name(api_server, spec, message):
    with pytest.raises(Refused) as refused:
        api_server.apply(manifest(**spec))

    assert message in str(refused.value)
