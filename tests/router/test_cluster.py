"""A router beside a real API server: records and pods come from the objects of its namespace."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest

from api_server import ApiServer
from router.objects import config_map, endpoint, endpoint_slice, record
from router.relay import ApiRelay
from router.running import (
    Load,
    eventually,
    free_port,
    grpc_load,
    rest_answers,
    rest_load,
    start_router,
    write,
    write_endpoints,
)
from testcluster import binaries

pytestmark = pytest.mark.api

ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role"}


@pytest.fixture
def namespace(control_plane) -> ApiServer:
    """A namespace that no other test uses."""
    name = f"router-{uuid.uuid4().hex[:8]}"
    everywhere = ApiServer(binaries.location("kubectl"), control_plane.kubeconfig)
    everywhere.run("create", "namespace", name)
    return ApiServer(everywhere.kubectl, everywhere.kubeconfig, name)


@pytest.fixture
async def relay(control_plane):
    async with ApiRelay(control_plane.kubeconfig) as relay:
        yield relay


@pytest.fixture
def new_router(namespace, tmp_path):
    """Starts routers that follow the namespace; what they keep lies in tmp_path."""

    async def start(kubeconfig):
        return await start_router(
            tmp_path, "--namespace", namespace.namespace, KUBECONFIG=str(kubeconfig)
        )

    return start


@pytest.fixture
async def following(new_router, relay, tmp_path):
    router = await new_router(relay.kubeconfig(tmp_path))
    yield router
    assert await router.end() == 0


def kept(folder, kind, name):
    return json.loads((folder / kind / f"{name}.json").read_text())


async def until_kept_pods_are(folder, revision, *addresses):
    async def is_so():
        path = folder / "endpoints" / f"{revision}.json"
        pods = kept(folder, "endpoints", revision)["endpoints"] if path.exists() else []
        return [pod["address"] for pod in pods] == list(addresses)

    await eventually(is_so, f"the pods of {revision} are {addresses}")


async def test_records_and_pods_come_and_change_and_go(following, namespace, ports, tmp_path):
    namespace.apply(
        config_map(record("m", ports, {"m-a": 100})),
        endpoint_slice("m-a", endpoint("10.0.0.1", ready=True)),
    )
    await following.until("m", "Programmed", "100 % m-a")
    await until_kept_pods_are(tmp_path, "m-a", "10.0.0.1")

    namespace.apply(
        endpoint_slice("m-b", endpoint("10.0.0.2", ready=True)),
        config_map(record("m", ports, {"m-a": 95, "m-b": 5})),
    )
    await following.until("m", "Programmed", "5 % m-b")
    namespace.apply(endpoint_slice("m-a", endpoint("10.0.0.3", ready=True), name="m-a-second"))
    await until_kept_pods_are(tmp_path, "m-a", "10.0.0.1", "10.0.0.3")

    namespace.delete("endpointslice", "m-a-abcde")
    await until_kept_pods_are(tmp_path, "m-a", "10.0.0.3")
    namespace.delete("configmap", "m-traffic")
    await following.until("m", "Removed")


async def test_weight_waits_for_pods_that_the_cluster_shows(following, namespace, ports):
    namespace.apply(
        endpoint_slice("m-a", endpoint("10.0.0.1", ready=True)),
        endpoint_slice("m-b", endpoint("10.0.0.2", ready=False)),
        config_map(record("m", ports, {"m-a": 100, "m-b": 0})),
    )
    await following.until("m", "Programmed")

    namespace.apply(config_map(record("m", ports, {"m-a": 0, "m-b": 100})))
    await following.until("m", "WaitingForPods", "100 % for m-b, which has no ready pods")
    namespace.apply(endpoint_slice("m-b", endpoint("10.0.0.2", ready=True)))

    assert (await following.until("m", "Programmed"))["message"] == "0 % m-a, 100 % m-b"


async def test_bad_objects_are_told_and_touch_no_other_model(following, namespace, ports, tmp_path):
    good = record("m", ports, {"m-a": 100})
    namespace.apply(config_map(good), endpoint_slice("m-a", endpoint("10.0.0.1")))
    await following.until("m", "Programmed")
    other = record("other", (free_port(), free_port()), {"other-a": 100})
    huge = config_map(record("huge", ports, {"m-a": 100}, note="x" * 900_000))
    without_ports = endpoint_slice("m-a", endpoint("10.0.0.9")) | {"ports": []}

    namespace.run("create", "-f", "-", stdin=json.dumps(huge))
    namespace.apply(config_map(good | {"schema": 2}), without_ports, config_map(other))
    await following.until("other", "Programmed")
    future = await following.until("m", "InvalidRecord")
    await following.until("huge", "InvalidRecord", "note: is not a field of this document")

    assert future["message"] == (
        "schema: is 2, this router reads 1; a newer operator needs a newer router"
    )
    assert future["ready"] is True
    assert kept(tmp_path, "records", "m") == good
    await until_kept_pods_are(tmp_path, "m-a", "10.0.0.1")


async def test_what_changed_while_the_api_server_was_away_is_made_up_for(
    following, relay, namespace, ports
):
    gone = record("gone", (free_port(), free_port()), {"gone-a": 100})
    namespace.apply(config_map(record("m", ports, {"m-a": 100})), config_map(gone))
    await following.until("m", "Programmed")
    await following.until("gone", "Programmed")

    relay.cut()
    namespace.delete("configmap", "gone-traffic")
    namespace.apply(config_map(record("m", ports, {"m-a": 100}, timeoutSeconds=7)))
    namespace.apply(config_map(record("new", (free_port(), free_port()), {"new-a": 100})))
    away = await following.status("m"), await following.status("new")
    relay.mend()

    assert (away[0]["reason"], away[1]) == ("Programmed", {})
    await following.until("new", "Programmed")
    await following.until("gone", "Removed")


async def test_a_new_router_is_not_ready_until_it_has_seen_the_cluster(new_router, relay, tmp_path):
    path = relay.kubeconfig(tmp_path)
    relay.cut()
    router = await new_router(path)
    await router.until_answering()
    before = await router.health()
    relay.mend()
    await router.until_ready()

    assert before == (503, {"ready": False, "models": []})
    assert await router.end() == 0


@pytest.fixture
def kubeconfig_of_an_account(namespace, relay, tmp_path):
    """The way in of an account that may follow traffic records, and nothing else."""
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"]}]
    subject = {"kind": "ServiceAccount", "name": "router", "namespace": namespace.namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "router"}
    binding = {"kind": "RoleBinding", "roleRef": reference, "subjects": [subject]}
    named = {"metadata": {"name": "router"}}
    namespace.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount"} | named,
        ROLE | named | {"rules": rules},
        ROLE | binding | named,
    )
    return relay.kubeconfig(tmp_path, namespace.run("create", "token", "router").strip())


@pytest.fixture
async def kept_model(tmp_path, ports, stable, candidate):
    """What a router had kept of the model "m" when it ended."""
    for kind in ("records", "endpoints"):
        (tmp_path / kind).mkdir()
    document = record("m", ports, {"m-stable": 100, "m-candidate": 0})
    write(tmp_path / "records" / "m.json", document)
    write_endpoints(tmp_path, "m-stable", stable)
    write_endpoints(tmp_path, "m-candidate", candidate)
    return document


async def test_a_router_that_starts_while_the_api_server_is_away_serves_at_once(
    new_router, relay, tmp_path, kept_model, ports
):
    path = relay.kubeconfig(tmp_path)
    relay.cut()
    router = await new_router(path)
    await router.until("m", "Programmed")
    await router.until_ready()

    assert await rest_answers(ports[1], 80) == {"m-stable": 80}
    assert await router.end() == 0


async def test_no_request_is_lost_while_records_change_and_pods_cannot_be_seen(
    new_router, namespace, kubeconfig_of_an_account, kept_model, ports
):
    namespace.apply(config_map(kept_model))
    router = await new_router(kubeconfig_of_an_account)
    await router.until("m", "Programmed")
    load = Load()
    async with asyncio.TaskGroup() as clients:
        clients.create_task(rest_load(ports[1], load))
        clients.create_task(grpc_load(ports[0], load))
        for weight in (5, 50, 100):
            split = {"m-stable": 100 - weight, "m-candidate": weight}
            namespace.apply(config_map(record("m", ports, split)))
            await router.until("m", "Programmed", f"{weight} % m-candidate")
        followed = await rest_answers(ports[1], 80)
        load.ended = True

    assert load.failures == []
    assert set(load.answers) == {"m-stable", "m-candidate"}
    assert followed == {"m-candidate": 80}
    assert await router.end() == 0
