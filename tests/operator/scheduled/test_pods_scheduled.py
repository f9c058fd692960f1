"""Kubernetes' own scheduler gives pods the nodes that their ModelDeployments ask for."""

import pytest

from api_server import ApiServer, eventually
from simulated_world import manifest as written

pytestmark = pytest.mark.api

GPU, TPU, MIG = "nvidia.com/gpu", "google.com/tpu", "nvidia.com/mig-1g.10gb"
ZONE = "topology.kubernetes.io/zone"
SHARING = {"strategy": "TimeSlicing", "clients": 4}


# By name: the accelerator asked for, and the node that has it.
WISHES = {
    "a100-80": ({"resource": GPU, "product": "NVIDIA-A100-SXM4-80GB"}, "discovered-a100"),
    "a100-40": ({"resource": GPU, "product": "NVIDIA-A100-SXM4-40GB"}, "karpenter-a100-40"),
    "l4": ({"resource": GPU, "product": "NVIDIA-L4"}, "gke-l4"),
    "l4-part": ({"resource": GPU, "product": "l4", "sharing": SHARING}, "gke-l4-shared"),
    "a10g": ({"resource": GPU, "product": "NVIDIA-A10G"}, "karpenter-a10g"),
    "t4": ({"resource": GPU, "product": "Tesla-T4"}, "azure-t4"),
    "mig": ({"resource": MIG, "product": "NVIDIA-A100-SXM4-80GB"}, "partitioned-a100"),
    "tpu": (
        {"resource": TPU, "tpu": {"type": "tpu-v5-lite-podslice", "topology": "2x4"}},
        "gke-v5e",
    ),
    "inferentia": ({"resource": "aws.amazon.com/neuron", "product": "inferentia2"}, "neuron"),
}


@pytest.fixture(scope="module")
def placed(shop) -> ApiServer:
    """All wishes at once, so that each could take the place of another."""
    shop.apply(*(manifest(name, accelerator=wish) for name, (wish, _) in WISHES.items()))
    return shop


def manifest(name, **spec):
    return written(name, model={"uri": "file:///srv/models/ranker"}, **spec)


def nodes_of(api, name):
    selector = f"--selector=modelfleet.dev/deployment={name}"
    path = "-o=jsonpath={.items[*].spec.nodeName}"
    return sorted(api.run("get", "pods", selector, path).split())


def told(api, name, words):
    """The Ready condition once it contains the words."""

    def found():
        conditions = api.get("md", name)["status"].get("conditions", [])
        ready = [item for item in conditions if item["type"] == "Ready"]
        return next((item for item in ready if words in item["message"]), None)

    return eventually(found)


@pytest.mark.parametrize("name", WISHES)
def test_a_pod_comes_to_the_node_that_has_what_it_asks_for(placed, name):
    assert eventually(lambda: nodes_of(placed, name)) == [WISHES[name][1]]


def test_on_full_nodes_the_status_counts_until_one_is_free(shop):
    wish = {"resource": GPU, "count": 2, "product": "NVIDIA-H100-80GB-HBM3"}
    shop.apply(manifest("holds", accelerator=wish, replicas=2))
    shop.run("wait", "md/holds", "--for=condition=Ready", "--timeout=180s")

    shop.apply(manifest("waits", accelerator=wish))

    ready = told(
        shop,
        "waits",
        "needs 2 nvidia.com/gpu with product NVIDIA-H100-80GB-HBM3; "
        "nodes that match have 0 free of 4",
    )
    assert ready["reason"] == "Unschedulable"
    shop.run("scale", "md/holds", "--replicas=1")
    shop.run("wait", "md/waits", "--for=condition=Ready", "--timeout=180s")


def test_an_accelerator_that_nobody_has_is_named_with_those_there_are(shop):
    shop.apply(manifest("gaudi", accelerator={"resource": "habana.ai/gaudi"}))

    ready = told(shop, "gaudi", "needs 1 habana.ai/gaudi; no node of this cluster has any")

    assert "aws.amazon.com/neuron, google.com/tpu, nvidia.com/gpu" in ready["message"]


def test_a_product_that_nobody_has_is_told_with_the_nodes_that_have_others(shop):
    shop.apply(manifest("b200", accelerator={"resource": GPU, "product": "NVIDIA-B200"}))

    ready = told(shop, "b200", "with product NVIDIA-B200; no node that has any matches")

    assert "azure-t4" in ready["message"]


def test_copies_are_spread_as_the_user_says(shop):
    apart = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}
    scheduling = {"nodeSelector": {"pool": "models"}, "topologySpreadConstraints": [apart]}

    shop.apply(manifest("apart", scheduling=scheduling, replicas=2))

    eventually(lambda: nodes_of(shop, "apart") == ["east", "west"])


@pytest.mark.parametrize(
    ("name", "scheduling", "words"),
    [
        ("account", {"serviceAccountName": "nobody"}, 'serviceaccount "nobody" not found'),
        ("priority", {"priorityClassName": "none"}, "no PriorityClass with name none was found"),
        ("runtime", {"runtimeClassName": "none"}, 'RuntimeClass "none" not found'),
    ],
)
def test_what_the_user_names_and_is_not_there_is_named_in_the_status(shop, name, scheduling, words):
    shop.apply(manifest(name, scheduling=scheduling))

    assert told(shop, name, words)["status"] == "False"


def test_what_the_api_server_refuses_is_told_until_the_spec_is_put_right(shop):
    bad = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "ScheduleAnyway"}
    bad["labelSelector"] = {"matchLabels": {"not a key": "x"}}
    shop.apply(manifest("refused", scheduling={"topologySpreadConstraints": [bad]}))

    ready = told(shop, "refused", "topologySpreadConstraints[0].labelSelector")
    assert ready["reason"] == "Refused"
    shop.run("wait", "md/refused", "--for=condition=Stalled", "--timeout=180s")

    shop.apply(manifest("refused", scheduling={}))
    shop.run("wait", "md/refused", "--for=condition=Ready", "--timeout=180s")


def test_a_quota_that_leaves_no_object_to_make_is_told(shop):
    lab = ApiServer(shop.kubectl, shop.kubeconfig, "lab")
    lab.run("create", "namespace", "lab")
    lab.run("create", "quota", "none", "--hard=count/deployments.apps=0")
    eventually(lambda: "hard" in lab.get("quota", "none")["status"])

    lab.apply(manifest("ranker"))

    ready = told(lab, "ranker", "exceeded quota: none")
    assert ready["reason"] == "Refused"
    lab.run("wait", "md/ranker", "--for=condition=Reconciling", "--timeout=180s")
