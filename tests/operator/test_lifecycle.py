"""Restarts and upgrades of the operator and of its CRD change nothing that runs."""

import copy
import json

import pytest
import yaml

from api_server import ApiServer, eventually
from simulated_world import manifest as written
from testcluster import Contents, ControlPlane, binaries

pytestmark = pytest.mark.api

MANY = 40
NODE_PATHS = {"MODELFLEET_ALLOW_NODE_PATHS": "true"}


@pytest.fixture(scope="module")
def cluster():
    with ControlPlane(Contents(controllers=True, kwok_nodes=1)) as plane:
        yield plane


@pytest.fixture(scope="module")
def shop(cluster, install_crd) -> ApiServer:
    install_crd(cluster)
    return ApiServer(binaries.location("kubectl"), cluster.kubeconfig)


@pytest.fixture
def start(shop, start_operator):
    return lambda **settings: start_operator(shop.kubeconfig, **(NODE_PATHS | settings))


def manifest(name="ranker", **spec):
    body = written(name, **spec)
    body["spec"]["model"]["uri"] = "file:///srv/models/ranker"
    return body


def conditions_of(api, type_):
    return [
        condition["status"]
        for item in api.all("md")
        for condition in item["status"].get("conditions", [])
        if condition["type"] == type_
    ]


def versions(api):
    """What every object looks like, by the API server's own count of writes."""
    kinds = "md,deployments,services,controllerrevisions,networkpolicies"
    items = json.loads(api.run("get", kinds, "-o", "json"))["items"]
    return {
        (item["kind"], item["metadata"]["name"]): item["metadata"]["resourceVersion"]
        for item in items
    }


def pods(api):
    return {item["metadata"]["uid"] for item in api.all("pods")}


def test_an_upgraded_operator_writes_nothing_and_restarts_no_pod(shop, start):
    first = start()
    shop.apply(*(manifest(f"ranker-{number}") for number in range(MANY)))
    eventually(lambda: conditions_of(shop, "Ready").count("True") == MANY)
    assert first.stop() == 0
    before, running = versions(shop), pods(shop)

    second = start(MODELFLEET_SERVER_IMAGE="modelfleet/server:newer")
    eventually(lambda: second.passes() >= MANY)

    assert [labels for labels in second.requests() if 'verb="GET"' not in labels] == []
    assert versions(shop) == before
    assert pods(shop) == running
    assert second.stop() == 0


def test_fields_of_a_newer_release_survive_the_work_of_an_older_operator(shop, start):
    crd = shop.get("crd", "modeldeployments.modelfleet.dev")
    newer = copy.deepcopy(crd)
    [version] = newer["spec"]["versions"]
    properties = version["schema"]["openAPIV3Schema"]["properties"]
    for part in ("spec", "status"):
        properties[part]["properties"]["later"] = {"type": "string"}
    newer["metadata"] = {"name": crd["metadata"]["name"]}
    del newer["status"]
    shop.run("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump(newer))
    start()
    eventually(lambda: shop.apply(manifest("newer", later="a")) or True)
    shop.run("wait", "md/newer", "--for=condition=Ready", "--timeout=180s")
    shop.patch_status("md", "newer", {"later": "b"})

    shop.patch("md", "newer", {"spec": {"model": {"version": 2}}})

    eventually(lambda: shop.get("md", "newer")["status"]["stable"]["version"] == 2)
    found = shop.get("md", "newer")
    assert found["spec"]["later"] == "a"
    assert found["status"]["later"] == "b"
