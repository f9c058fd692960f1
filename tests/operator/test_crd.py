"""What the API server accepts as a ModelDeployment, and with which words it refuses the rest."""

import pytest
import yaml

from api_server import Refused
from simulated_world import manifest

pytestmark = pytest.mark.api

SMALLEST = """
apiVersion: modelfleet.dev/v1alpha1
kind: ModelDeployment
metadata: {name: half-plus-two}
spec:
  model: {uri: pvc://models/half_plus_two, version: 1}
"""
EVERYTHING = {
    "model": {"name": "Half_plus.2", "uri": "file:///srv/models/half", "version": 0},
    "serving": {
        "image": "registry.example/server@sha256:" + "0" * 64,
        "args": ["--rest_api_timeout_in_ms=1000"],
        "env": [
            {"name": "A", "value": ""},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
            {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "resources": {"requests": {"cpu": 1}, "limits": {"cpu": "1500m", "memory": "1Gi"}},
    },
    "replicas": 0,
    "rollout": {
        "steps": [
            {"weight": 1},
            {"weight": 25, "holdSeconds": 300, "pause": False},
            {"weight": 99, "pause": True},
        ],
        "analysis": {
            "minRequests": 1,
            "maxErrorPercent": 0.5,
            "maxErrorPercentAboveStable": 0,
            "maxP99Milliseconds": 7.5,
            "maxP99PercentAboveStable": 20,
            "prometheus": [{"name": "ctr", "query": "ctr{r='${revision}'}", "min": -1.5, "max": 2}],
            "failureLimit": 3,
            "onInconclusive": "Pause",
        },
        "paused": True,
        "keepWarmSeconds": 0,
        "abortKeepSeconds": 86400,
        "capacity": "DrainFirst",
        "progressDeadlineSeconds": 1,
        "historyLimit": 0,
    },
    "suspend": True,
}


def analysed(*weights, **analysis):
    """A spec whose steps are analysed."""
    steps = {"steps": [{"weight": weight} for weight in weights]} if weights else {}
    return {"rollout": steps | {"analysis": analysis}}


def test_the_smallest_manifest_is_accepted_and_does_not_look_finished(api_server):
    api_server.apply(yaml.safe_load(SMALLEST))

    made = api_server.get("modeldeployment", "half-plus-two")
    assert made["spec"]["replicas"] == 1
    assert made["spec"]["suspend"] is False
    assert made["status"] == {"observedGeneration": -1}


def test_a_manifest_with_every_field_is_accepted_and_kept_whole(api_server):
    api_server.apply(manifest(**EVERYTHING))

    assert api_server.get("md", "ranker")["spec"] == EVERYTHING


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"modle": {}}, 'unknown field "spec.modle"', id="an unknown field"),
        pytest.param(
            {"rollout": {"webhooks": []}},
            'unknown field "spec.rollout.webhooks"',
            id="a field that others have",
        ),
        pytest.param(
            {"model": {"credentials": "x"}},
            'unknown field "spec.model.credentials"',
            id="an unknown field deep inside",
        ),
        pytest.param(
            {"serving": {"env": [{"name": "A", "vlaue": "1"}]}},
            'unknown field "spec.serving.env[0].vlaue"',
            id="an unknown field in a list",
        ),
        pytest.param(
            {"rollout": {"steps": [{"weight": 0}]}}, "spec.rollout.steps[0].weight", id="no share"
        ),
        pytest.param(
            {"rollout": {"steps": [{"weight": 100}]}}, "spec.rollout.steps[0].weight", id="it all"
        ),
        pytest.param(
            {"rollout": {"steps": [{"holdSeconds": 9}]}},
            "spec.rollout.steps[0].weight: Required",
            id="a step without a weight",
        ),
        pytest.param(
            {"rollout": {"steps": [{"weight": 50}, {"weight": 10}]}},
            "spec.rollout.steps: each weight must be higher than the one before",
            id="steps that fall",
        ),
        pytest.param(
            {"rollout": {"steps": [{"weight": 50}, {"weight": 50}]}},
            "spec.rollout.steps: each weight must be higher than the one before",
            id="a step twice",
        ),
        pytest.param(
            {"rollout": {"steps": [{"weight": 50, "holdSeconds": 1, "pause": True}]}},
            "spec.rollout.steps: a step has holdSeconds or pause, not both",
            id="a step that holds and pauses",
        ),
        pytest.param(
            analysed(), "spec.rollout.analysis: needs spec.rollout.steps", id="no step to analyse"
        ),
        pytest.param(
            analysed(10, maxErrorPercent=101),
            "spec.rollout.analysis.maxErrorPercent",
            id="more errors than requests",
        ),
        pytest.param(
            analysed(10, minRequests=0), "spec.rollout.analysis.minRequests", id="no requests"
        ),
        pytest.param(
            analysed(10, onInconclusive="Pass"),
            "spec.rollout.analysis.onInconclusive",
            id="no data as a pass",
        ),
        pytest.param(
            analysed(10, prometheus=[{"name": "ctr", "query": "ctr"}]),
            "spec.rollout.analysis.prometheus: a query needs min, max or both",
            id="a query without bounds",
        ),
        pytest.param(
            analysed(10, prometheus=[{"name": "ctr", "query": "ctr", "min": 2, "max": 1}]),
            "spec.rollout.analysis.prometheus: min must not be above max",
            id="a query that cannot pass",
        ),
        pytest.param(
            analysed(10, prometheus=[{"name": "a", "query": "x", "min": 0}] * 2),
            "spec.rollout.analysis.prometheus[1]: Duplicate",
            id="a query twice",
        ),
        pytest.param(
            {"rollout": {"keepWarmSeconds": -1}}, "spec.rollout.keepWarmSeconds", id="warm"
        ),
        pytest.param({"model": {"uri": None}}, "spec.model.uri: Required", id="no uri"),
        pytest.param({"model": {"version": None}}, "spec.model.version: Required", id="no version"),
        pytest.param({"model": {"version": -1}}, "spec.model.version", id="a version below 0"),
        pytest.param({"model": {"version": "v1"}}, "spec.model.version", id="a version in words"),
        pytest.param(
            {"model": {"uri": "ftp://models/x"}},
            "spec.model.uri: the scheme is not known",
            id="an unknown scheme",
        ),
        pytest.param(
            {"model": {"uri": "models/x"}},
            "spec.model.uri: the scheme is not known",
            id="no scheme",
        ),
        pytest.param(
            {"model": {"uri": "pvc:///x"}},
            "spec.model.uri: pvc:// needs the name of a PersistentVolumeClaim",
            id="no claim",
        ),
        pytest.param(
            {"model": {"uri": "file://x"}},
            "spec.model.uri: file:// needs an absolute path",
            id="a relative path",
        ),
        pytest.param(
            {"model": {"uri": "pvc://models/$(X)"}},
            "spec.model.uri: a path may have letters",
            id="a variable in the path",
        ),
        pytest.param(
            {"model": {"uri": "pvc://models/../x"}},
            "spec.model.uri: a path may not contain '..'",
            id="a way out of the folder",
        ),
        pytest.param(
            {"model": {"name": "a/b"}}, "spec.model.name: use letters", id="a slash in the name"
        ),
        pytest.param(
            {"serving": {"args": ["--port=1"]}},
            "spec.serving.args: the flags port",
            id="a flag that is the operator's",
        ),
        pytest.param(
            {"serving": {"args": ["-model_base_path", "/"]}},
            "spec.serving.args: the flags port",
            id="such a flag in another notation",
        ),
        pytest.param(
            {
                "serving": {
                    "env": [
                        {
                            "name": "A",
                            "value": "1",
                            "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                        }
                    ]
                }
            },
            "spec.serving.env: a variable has value or valueFrom, not both",
            id="a variable with two values",
        ),
        pytest.param(
            {"serving": {"env": [{"name": "A"}, {"name": "A"}]}},
            "Duplicate value",
            id="a variable twice",
        ),
        pytest.param(
            {"serving": {"resources": {"limits": {"cpu": "many"}}}},
            "spec.serving.resources.limits.cpu",
            id="a quantity in words",
        ),
        pytest.param({"replicas": -1}, "spec.replicas", id="replicas below 0"),
        pytest.param(
            {"rollout": {"capacity": "Some"}}, "spec.rollout.capacity", id="an unknown strategy"
        ),
        pytest.param(
            {"rollout": {"progressDeadlineSeconds": 0}},
            "spec.rollout.progressDeadlineSeconds",
            id="no time at all",
        ),
        pytest.param(
            {"rollout": {"historyLimit": -1}}, "spec.rollout.historyLimit", id="history below 0"
        ),
    ],
)
def test_a_bad_manifest_is_refused_with_the_fields_name(api_server, spec, message):
    bad = manifest(**spec)
    bad["spec"]["model"] = {k: v for k, v in bad["spec"]["model"].items() if v is not None}

    with pytest.raises(Refused) as refusal:
        api_server.apply(bad)

    assert message in str(refusal.value)


@pytest.mark.parametrize("name", ["7-days", "a.b", "a" * 64])
def test_a_name_that_no_service_can_have_is_refused(api_server, name):
    with pytest.raises(Refused, match=r"metadata\.name: becomes the name of a Service"):
        api_server.apply(manifest(name))


def test_an_object_without_a_spec_is_refused(api_server):
    bad = manifest()
    del bad["spec"]

    with pytest.raises(Refused, match="spec: Required"):
        api_server.apply(bad)


def test_replicas_can_be_scaled_without_touching_the_spec_otherwise(api_server):
    api_server.apply(manifest())

    api_server.run("scale", "md/ranker", "--replicas=4")

    assert api_server.get("md", "ranker")["spec"]["replicas"] == 4


def test_the_table_of_kubectl_has_a_column_for_each_question(api_server):
    api_server.apply(manifest())

    header = api_server.run("get", "md", "-o", "wide").splitlines()[0].split()

    assert header == [
        "NAME",
        "READY",
        "VERSION",
        "CANDIDATE",
        "WEIGHT",
        "REPLICAS",
        "REASON",
        "AGE",
        "URI",
        "ACCELERATOR",
        "MESSAGE",
    ]


def test_the_status_is_not_the_users_to_write(api_server):
    claimed = manifest() | {"status": {"observedGeneration": 1, "readyReplicas": 9}}

    api_server.apply(claimed)

    assert api_server.get("md", "ranker")["status"] == {"observedGeneration": -1}


def test_objects_are_found_by_category(api_server):
    api_server.apply(manifest())

    assert "modeldeployment" in api_server.run("get", "modelfleet", "-o", "name")
