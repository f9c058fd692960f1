"""Which accelerators and which scheduling the API server accepts, and how it refuses the rest."""

import pytest

from api_server import Refused
from simulated_world import manifest

pytestmark = pytest.mark.api

GPU = "nvidia.com/gpu"
SELECTOR = {
    "matchLabels": {"app": "x"},
    "matchExpressions": [
        {"key": "tier", "operator": "In", "values": ["a"]},
        {"key": "old", "operator": "DoesNotExist"},
    ],
}
NODE_TERM = {
    "matchExpressions": [
        {"key": "pool", "operator": "NotIn", "values": ["old"]},
        {"key": "cores", "operator": "Gt", "values": ["16"]},
    ],
    "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node-1"]}],
}
POD_TERM = {
    "topologyKey": "kubernetes.io/hostname",
    "labelSelector": SELECTOR,
    "namespaces": ["shop"],
    "matchLabelKeys": ["modelfleet.dev/revision"],
}
EVERYTHING = {
    "nodeSelector": {"pool": "gpu", "example.com/empty": ""},
    "tolerations": [
        {"key": "team", "operator": "Equal", "value": "a", "effect": "NoSchedule"},
        {"key": "slow", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
        {"operator": "Exists"},
    ],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [NODE_TERM]},
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 50, "preference": NODE_TERM}
            ],
        },
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [POD_TERM]},
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 100, "podAffinityTerm": POD_TERM}
            ]
        },
    },
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "minDomains": 2,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": SELECTOR,
            "nodeTaintsPolicy": "Honor",
        },
        {
            "maxSkew": 2,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
        },
    ],
    "priorityClassName": "high",
    "schedulerName": "default-scheduler",
    "runtimeClassName": "nvidia",
    "serviceAccountName": "models",
    "imagePullSecrets": [{"name": "registry"}],
}


def tpu(type_, topology, **more):
    return {"resource": "google.com/tpu", "tpu": {"type": type_, "topology": topology}} | more


def refusal_of(api, **spec):
    with pytest.raises(Refused) as refusal:
        api.apply(manifest(**spec))
    return " ".join(str(refusal.value).split())


def test_every_field_of_scheduling_is_kept_whole(api_server):
    api_server.apply(manifest(scheduling=EVERYTHING))

    assert api_server.get("md", "ranker")["spec"]["scheduling"] == EVERYTHING


ACCEPTED = [
    pytest.param({"resource": GPU}, id="a GPU"),
    pytest.param({"resource": GPU, "count": 8, "product": "NVIDIA-L4"}, id="a product"),
    pytest.param({"resource": "nvidia.com/mig-1g.5gb"}, id="a partition"),
    pytest.param({"resource": "amd.com/gpu", "count": 1}, id="another vendor"),
    pytest.param({"resource": "habana.ai/gaudi"}, id="a vendor without product labels"),
    pytest.param({"resource": "aws.amazon.com/neuron", "product": "inferentia2"}, id="neuron"),
    pytest.param(
        {"resource": GPU, "sharing": {"strategy": "TimeSlicing", "clients": 4}}, id="a shared GPU"
    ),
    pytest.param(
        {"resource": "nvidia.com/gpu.shared", "sharing": {"strategy": "MPS", "clients": 2}},
        id="a shared GPU by name",
    ),
    pytest.param(tpu("tpu-v5-lite-podslice", "1x1"), id="a chip"),
    pytest.param(tpu("tpu-v5-lite-device", "2x4"), id="a device"),
    pytest.param(tpu("tpu-v6e-slice", "2x4", count=8), id="all chips of a host"),
    pytest.param(tpu("tpu-v5p-slice", "2x2x1", count=4), id="a cube"),
    pytest.param(tpu("tpu7x", "1x1x1", count=1), id="one chip of the seventh"),
]


@pytest.mark.parametrize("accelerator", ACCEPTED)
def test_accelerators_that_are_accepted(api_server, accelerator):
    api_server.apply(manifest(accelerator=accelerator))

    assert api_server.get("md", "ranker")["spec"]["accelerator"] == accelerator
    assert accelerator["resource"] in api_server.run("get", "md", "ranker", "-o", "wide")


@pytest.mark.parametrize(
    ("accelerator", "message"),
    [
        pytest.param({}, "spec.accelerator.resource: Required", id="no resource"),
        pytest.param({"resource": "gpu"}, "resource: name an extended resource", id="no vendor"),
        pytest.param({"resource": "cpu"}, "resource: name an extended resource", id="a CPU"),
        pytest.param(
            {"resource": "kubernetes.io/gpu"}, "resource: name an extended", id="Kubernetes' own"
        ),
        pytest.param({"resource": GPU, "count": 0}, "spec.accelerator.count", id="none of it"),
        pytest.param({"resource": GPU, "count": "2"}, "spec.accelerator.count", id="a word"),
        pytest.param({"resource": GPU, "product": "A 100"}, "product: use what", id="no label"),
        pytest.param(
            {"resource": "habana.ai/gaudi", "product": "gaudi2"},
            "spec.accelerator.product: no node label is known",
            id="a product of an unknown vendor",
        ),
        pytest.param(
            {"resource": GPU, "count": 2, "sharing": {"strategy": "MPS", "clients": 2}},
            "spec.accelerator.sharing: is for one nvidia.com/gpu",
            id="two shared GPUs",
        ),
        pytest.param(
            {"resource": "amd.com/gpu", "sharing": {"strategy": "MPS", "clients": 2}},
            "spec.accelerator.sharing: is for one nvidia.com/gpu",
            id="shared GPUs of another vendor",
        ),
        pytest.param(
            {"resource": GPU, "sharing": {"strategy": "Luck", "clients": 2}},
            "spec.accelerator.sharing.strategy: Unsupported value",
            id="an unknown way to share",
        ),
        pytest.param(
            {"resource": "google.com/tpu"}, "spec.accelerator.tpu: goes with", id="no slice"
        ),
        pytest.param(
            tpu("tpu7x", "1x1x1") | {"resource": GPU},
            "spec.accelerator.tpu: goes with google.com/tpu",
            id="a slice of GPUs",
        ),
        pytest.param(tpu("tpu-v9", "2x2"), "tpu.type: Unsupported value", id="an unknown type"),
        pytest.param(
            tpu("tpu-v6e-slice", "3x3"),
            "spec.accelerator.tpu.topology: there are no slices of this type",
            id="an unknown topology",
        ),
        pytest.param(
            tpu("tpu-v5p-slice", "2x2"), "topology: there are no slices", id="a plane of a cube"
        ),
        pytest.param(
            tpu("tpu-v4-podslice", "1x1x1"), "topology: there are no slices", id="one chip of v4"
        ),
        pytest.param(
            tpu("tpu-v5-lite-podslice", "4x4"),
            "spec.accelerator.tpu.topology: spans several hosts",
            id="several hosts",
        ),
        pytest.param(
            tpu("tpu-v5p-slice", "2x2x4"), "topology: spans several hosts", id="cubes of hosts"
        ),
        pytest.param(
            tpu("tpu-v6e-slice", "2x4", count=4),
            "spec.accelerator.tpu.topology: spans several hosts",
            id="two hosts",
        ),
        pytest.param(
            tpu("tpu-v6e-slice", "2x2", count=1),
            "spec.accelerator.count: is the chips of one host",
            id="a part of a host",
        ),
    ],
)
def test_accelerators_that_are_refused_by_the_fields_name(api_server, accelerator, message):
    assert message in refusal_of(api_server, accelerator=accelerator)


def test_the_accelerators_resource_is_said_once(api_server):
    twice = {"resources": {"limits": {GPU: 1}}}

    message = refusal_of(api_server, accelerator={"resource": GPU}, serving=twice)

    assert "spec.serving.resources: the accelerator's resource follows" in message


def node_terms(*expressions):
    term = {"matchExpressions": list(expressions)}
    chosen = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    return {"affinity": {"nodeAffinity": chosen}}


@pytest.mark.parametrize(
    ("scheduling", "message"),
    [
        pytest.param({"nodeName": "n"}, 'unknown field "spec.scheduling.nodeName"', id="unknown"),
        pytest.param(
            {"affinity": {"nodeAffinty": {}}},
            'unknown field "spec.scheduling.affinity.nodeAffinty"',
            id="an unknown field deep inside",
        ),
        pytest.param({"nodeSelector": {"a b": "x"}}, "nodeSelector: a key is no", id="a bad key"),
        pytest.param({"nodeSelector": {"a": "x y"}}, "spec.scheduling.nodeSelector.a", id="value"),
        pytest.param(
            {"tolerations": [{"effect": "NoSchedule"}]},
            "tolerations: one without a key needs operator Exists",
            id="a toleration of nothing",
        ),
        pytest.param(
            {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
            "tolerations: operator Exists has no value",
            id="a value too much",
        ),
        pytest.param(
            {"tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 1}]},
            "tolerations: tolerationSeconds goes with effect NoExecute",
            id="a time for the wrong effect",
        ),
        pytest.param(
            node_terms({"key": "a", "operator": "In"}), "values go with In", id="in what?"
        ),
        pytest.param(
            node_terms({"key": "a", "operator": "Gt", "values": ["x"]}),
            "Gt and Lt take one whole number",
            id="more than a word",
        ),
        pytest.param(
            {
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "minDomains": 2,
                        "topologyKey": "zone",
                        "whenUnsatisfiable": "ScheduleAnyway",
                    }
                ]
            },
            "topologySpreadConstraints: minDomains goes with",
            id="domains that do not count",
        ),
        pytest.param(
            {"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone"}]},
            "whenUnsatisfiable: Required",
            id="an unclear constraint",
        ),
        pytest.param(
            {"serviceAccountName": "My Account"},
            "spec.scheduling.serviceAccountName",
            id="no object's name",
        ),
        pytest.param(
            {"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}, "Duplicate value", id="twice"
        ),
    ],
)
def test_scheduling_that_is_refused_by_the_fields_name(api_server, scheduling, message):
    assert message in refusal_of(api_server, scheduling=scheduling)
