"""Kubernetes' own scheduler gives groups nodes together, or not at all.

The nodes have no machines; kwok answers for them and their pods.
"""

import json

import pytest

from api_server import ApiServer, eventually
from operator_process import OperatorProcess
from simulated_world import model_deployment
from testcluster import Contents, ControlPlane, binaries, kwok

pytestmark = pytest.mark.api

GPU, AMD, TPU = "nvidia.com/gpu", "amd.com/gpu", "google.com/tpu"
RACK, POOL = "example.com/rack", "cloud.google.com/gke-nodepool"
SLICE = {
    "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
    "cloud.google.com/gke-tpu-topology": "4x4",
}
# By name: accelerators and labels.
NODES = {
    "gpus": ({GPU: 4}, {}),
    **{f"a{number}": ({AMD: 2}, {RACK: "a"}) for number in range(2)},
    **{f"b{number}": ({AMD: 2}, {RACK: "b"}) for number in range(2)},
    # Together they have room for a slice, but each pool is one of its own.
    **{f"old-{number}": ({TPU: 4}, SLICE | {POOL: "old"}) for number in range(3)},
    **{f"new-{number}": ({TPU: 4}, SLICE | {POOL: "new"}) for number in range(4)},
}


@pytest.fixture(scope="module")
def cluster():
    with ControlPlane(Contents(controllers=True, kwok_nodes=1)) as plane:
        for name, (counts, labels) in NODES.items():
            node = kwok.node(name, {})
            node["metadata"]["labels"] |= labels
            room = node["status"]["capacity"] | {key: str(n) for key, n in counts.items()}
            node["status"] = {"capacity": room, "allocatable": room}
            plane.api.create("/api/v1/nodes", node)
        yield plane


@pytest.fixture(scope="module")
def start(cluster, install_crd, tmp_path_factory):
    """Starts an operator; the next one takes over from it."""
    install_crd(cluster)
    started = []

    def begin():
        log = tmp_path_factory.mktemp("operator") / "operator.log"
        process = OperatorProcess(cluster.kubeconfig, log, MODELFLEET_ALLOW_NODE_PATHS="true")
        process.port()
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.process.poll() is None:
            assert process.stop() == 0, process.log.read_text()


@pytest.fixture(scope="module")
def operator(start):
    return start()


@pytest.fixture(scope="module")
def shop(cluster):
    return ApiServer(binaries.location("kubectl"), cluster.kubeconfig)


def manifest(name, shards, resource, **spec):
    body = model_deployment(
        name,
        model={"uri": "file:///srv/models/ranker"},
        sharding={"shards": shards} | spec.pop("sharding", {}),
        accelerator={"resource": resource} | spec.pop("accelerator", {}),
        **spec,
    )
    body["metadata"] = {"name": name}
    del body["status"]
    return body


def nodes_of(api, name):
    """The nodes of each group's members; empty for those that have none."""
    selector = f"--selector=modelfleet.dev/deployment={name}"
    found = {}
    for pod in json.loads(api.run("get", "pods", selector, "-o", "json"))["items"]:
        group = pod["metadata"]["labels"]["modelfleet.dev/group"]
        found.setdefault(group, []).append(pod["spec"].get("nodeName", ""))
    return [sorted(nodes) for _, nodes in sorted(found.items())]


def told(api, name, words):
    def found():
        conditions = api.get("md", name)["status"].get("conditions", [])
        ready = [item for item in conditions if item["type"] == "Ready"]
        return next((item for item in ready if words in item["message"]), None)

    return eventually(found, 60)


def take_gpu(api):
    container = {"name": "c", "image": "x", "resources": {"limits": {GPU: 1}}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    api.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other"}, "spec": spec})
    eventually(lambda: api.get("pod", "other")["spec"].get("nodeName"))


def open_gate(api, pod):
    """As an operator does, before it is killed and others of the group are left."""
    gate = {"name": "modelfleet.dev/gang", "$patch": "delete"}
    opened = {"modelfleet.dev/gate-opened": "2099-01-01T00:00:00Z"}
    patch = {"metadata": {"annotations": opened}, "spec": {"schedulingGates": [gate]}}
    api.run("patch", "pod", pod, "--type=strategic", "-p", json.dumps(patch))


def test_groups_take_all_their_accelerators_or_none_whoever_runs_the_operator(
    start, operator, shop
):
    none = [[""] * 4]
    take_gpu(shop)
    shop.apply(manifest("first", 4, GPU), manifest("second", 4, GPU))
    for name in ("first", "second"):
        ready = told(
            shop,
            name,
            "group 0 takes no node until 4 members have room at once; each needs 1 nvidia.com/gpu; "
            "nodes that match have 3 free of 4, room for 3",
        )
        assert ready["reason"] == "Unschedulable"
        assert nodes_of(shop, name) == none

    assert operator.stop() == 0
    open_gate(shop, f"{eventually(lambda: shop.names('statefulsets'))[1]}-2")
    shop.run("delete", "pod", "other", "--grace-period=0", "--force")
    begun = "second"
    start()

    shop.run("wait", f"md/{begun}", "--for=condition=Ready", "--timeout=60s")
    assert nodes_of(shop, begun) == [["gpus"] * 4]
    told(shop, "first", "nodes that match have 0 free of 4, room for 0")
    assert nodes_of(shop, "first") == none

    shop.delete("statefulsets", f"--selector=modelfleet.dev/deployment={begun}")
    shop.delete("md", begun)
    shop.run("wait", "md/first", "--for=condition=Ready", "--timeout=60s")
    assert nodes_of(shop, "first") == [["gpus"] * 4]


def test_exclusive_groups_have_a_rack_each_and_one_too_many_waits(operator, shop):
    exclusive = {"topology": {"key": RACK, "mode": "Exclusive"}}

    shop.apply(manifest("racks", 2, AMD, sharding=exclusive, replicas=3))

    told(shop, "racks", f"until 2 members have room at once in one {RACK} without other groups")
    racks = sorted({node[0] for node in nodes} for nodes in nodes_of(shop, "racks") if any(nodes))
    assert racks == [{"a"}, {"b"}]
    assert nodes_of(shop, "racks").count(["", ""]) == 1


def test_a_group_that_is_a_slice_has_a_node_pool_to_itself(operator, shop):
    slice_ = {"tpu": {"type": "tpu-v5-lite-podslice", "topology": "4x4"}}
    whole = {"recovery": "WholeGroup"}

    shop.apply(manifest("slice", 4, TPU, sharding=whole, accelerator=slice_))

    shop.run("wait", "md/slice", "--for=condition=Ready", "--timeout=60s")
    assert nodes_of(shop, "slice") == [[f"new-{number}" for number in range(4)]]
