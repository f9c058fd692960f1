"""Kubernetes' own scheduler gives groups nodes together, or not at all."""

import json

import pytest

from api_server import eventually
from simulated_world import manifest as written

pytestmark = pytest.mark.api

NPU, AMD, TPU, FEW = "x.example/npu", "amd.com/gpu", "google.com/tpu", "x.example/few"
RACK, ZONE = "example.com/rack", "topology.kubernetes.io/zone"


def manifest(name, shards, resource, **spec):
    return written(
        name,
        model={"uri": "file:///srv/models/ranker"},
        sharding={"shards": shards} | spec.pop("sharding", {}),
        accelerator={"resource": resource} | spec.pop("accelerator", {}),
        **spec,
    )


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

    return eventually(found)


def take_npu(api):
    container = {"name": "c", "image": "x", "resources": {"limits": {NPU: 1}}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    api.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other"}, "spec": spec})
    eventually(lambda: api.get("pod", "other")["spec"].get("nodeName"))


def open_gate(api, pod, when="2099-01-01T00:00:00Z"):
    """As an operator does."""
    gate = {"name": "modelfleet.dev/gang", "$patch": "delete"}
    opened = {"modelfleet.dev/gate-opened": when}
    patch = {"metadata": {"annotations": opened}, "spec": {"schedulingGates": [gate]}}
    api.run("patch", "pod", pod, "--type=strategic", "-p", json.dumps(patch))


def test_groups_take_all_their_accelerators_or_none_whoever_runs_the_operator(operator, shop):
    none = [[""] * 4]
    take_npu(shop)
    shop.apply(manifest("first", 4, NPU), manifest("second", 4, NPU))
    for name in ("first", "second"):
        ready = told(
            shop,
            name,
            "group 0 takes no node until 4 members have room at once; "
            "each needs 1 x.example/npu; nodes that match have 3 free of 4, room for 3",
        )
        assert ready["reason"] == "Unschedulable"
        assert nodes_of(shop, name) == none

    # As when it is killed after one member of four.
    operator.stop()
    open_gate(shop, f"{eventually(lambda: shop.names('statefulsets'))[1]}-2")
    shop.run("delete", "pod", "other", "--grace-period=0", "--force")
    operator.start()

    shop.run("wait", "md/second", "--for=condition=Ready", "--timeout=180s")
    assert nodes_of(shop, "second") == [["npus"] * 4]
    told(shop, "first", "nodes that match have 0 free of 4, room for 0")
    assert nodes_of(shop, "first") == none

    shop.delete("statefulsets", "--selector=modelfleet.dev/deployment=second")
    shop.delete("md", "second")
    shop.run("wait", "md/first", "--for=condition=Ready", "--timeout=180s")
    assert nodes_of(shop, "first") == [["npus"] * 4]


def test_a_group_that_got_nodes_for_some_members_gives_all_of_them_back(operator, shop):
    shop.apply(manifest("stuck", 4, FEW))
    told(shop, "stuck", "nodes that match have 3 free of 3, room for 3")
    operator.stop()
    # An operator that saw more room than there was let it in, long ago.
    for pod in shop.run("get", "pods", "-l=modelfleet.dev/deployment=stuck", "-o=name").split():
        open_gate(shop, pod.removeprefix("pod/"), "2020-01-01T00:00:00Z")
    eventually(lambda: nodes_of(shop, "stuck") == [["", "few", "few", "few"]])

    operator.start()

    eventually(lambda: nodes_of(shop, "stuck") == [[""] * 4])
    told(shop, "stuck", "nodes that match have 3 free of 3, room for 3")
    events = json.loads(shop.run("get", "events", "-o", "json"))["items"]
    [said] = [item["message"] for item in events if item["reason"] == "GroupTakenBack"]
    assert "only 3 of 4 members got nodes within 120 s" in said


def test_exclusive_groups_have_a_rack_each_and_one_too_many_waits(shop):
    exclusive = {"topology": {"key": RACK, "mode": "Exclusive"}}

    shop.apply(manifest("racks", 2, AMD, sharding=exclusive, replicas=3))

    def racks():
        # Which group gets which is nobody's promise, and sets have no order.
        of_groups = [nodes for nodes in nodes_of(shop, "racks") if any(nodes)]
        return sorted(sorted({node[:1] for node in nodes}) for nodes in of_groups)

    eventually(lambda: racks() == [["a"], ["b"]])
    words = f"until 2 members have room at once in one {RACK} without other groups"
    assert words in told(shop, "racks", "8, room for 0")["message"]
    assert nodes_of(shop, "racks").count(["", ""]) == 1


def test_groups_without_accelerators_go_to_the_scheduler_at_once_and_stand_alone_all_the_same(shop):
    exclusive = {"shards": 2, "topology": {"key": ZONE, "mode": "Exclusive"}}
    model = {"uri": "file:///srv/models/ranker"}

    shop.apply(written("zones", model=model, sharding=exclusive, replicas=2))

    shop.run("wait", "md/zones", "--for=condition=Ready", "--timeout=180s")
    assert sorted(nodes_of(shop, "zones")) == [["east", "east"], ["west", "west"]]
    shop.delete("md", "zones")


def test_a_group_that_is_a_slice_has_a_node_pool_to_itself(shop):
    slice_ = {"tpu": {"type": "tpu-v5-lite-podslice", "topology": "4x4"}}
    whole = {"recovery": "WholeGroup"}

    shop.apply(manifest("slice", 4, TPU, sharding=whole, accelerator=slice_))

    shop.run("wait", "md/slice", "--for=condition=Ready", "--timeout=180s")
    assert nodes_of(shop, "slice") == [[f"new-{number}" for number in range(4)]]
