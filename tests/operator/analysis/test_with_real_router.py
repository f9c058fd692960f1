"""A canary that is judged by real requests: the operator, an API server, a router with its Envoy.

Only what a kubelet and the controllers would do is played: that pods of a revision are ready, and
where the router's own pod is.
"""

import asyncio
import json
import random
from contextlib import AsyncExitStack, suppress

import aiohttp
import pytest
from aiohttp import web

from api_server import ApiServer, Refused
from model_operator.domain.routers import HEALTH_PORT, ROUTER_NAME, SELECTOR
from router.backends import Backend
from router.running import eventually, start_router, write, write_endpoints
from simulated_world import model_deployment

pytestmark = pytest.mark.api

ANALYSIS = {"minRequests": 50, "maxErrorPercent": 2, "maxErrorPercentAboveStable": 1}
KINDS = "md,deployments,configmaps"
STEPS = [{"weight": 20}, {"weight": 50}]


class Broken(Backend):
    """A version that is ready and answers each request with an error."""

    async def _answer_rest(self, request):
        await request.read()
        return web.Response(status=500, body=self.revision.encode())


class Canary:
    """A ModelDeployment with real requests, and the parts of a cluster around it."""

    def __init__(self, api: ApiServer, folder, address):
        self.api, self.folder, self.address = api, folder, address
        self.objects = {}
        self.pods = {}
        self.answers = []

    def apply(self, version):
        body = model_deployment(
            "ranker",
            model={"version": version},
            rollout={"steps": STEPS, "analysis": ANALYSIS, "abortKeepSeconds": 0},
        )
        body["metadata"] = {"name": "ranker"}
        del body["status"]
        self.api.apply(body)

    @property
    def status(self):
        found = self.objects.get(("ModelDeployment", "ranker"), {})
        return {"conditions": [], "stable": {}} | found.get("status", {})

    def condition(self, type_):
        found = [item for item in self.status["conditions"] if item["type"] == type_]
        return found[0] if found else {"status": "False"}

    def is_true(self, type_):
        return self.condition(type_)["status"] == "True"

    @property
    def record(self):
        """What the operator has the router do; empty before it has said so."""
        found = self.objects.get(("ConfigMap", "ranker-traffic"))
        return json.loads(found["data"]["record.json"]) if found else {}

    async def play_the_cluster(self, running, backend):
        """Every revision that gets a Deployment gets its one pod, made by `backend`."""
        while True:
            text = await asyncio.to_thread(self.api.run, "get", KINDS, "-o", "json")
            found = {(i["kind"], i["metadata"]["name"]): i for i in json.loads(text)["items"]}
            self.objects = found
            for kind, name in found:
                if kind == "Deployment" and name != ROUTER_NAME:
                    await self._run_pod(running, backend, name)
            if self.record:
                write(self.folder / "records" / "ranker.json", self.record)

    async def _run_pod(self, running, backend, name):
        if name not in self.pods:
            self.pods[name] = await running.enter_async_context(backend(name))
            write_endpoints(self.folder, name, self.pods[name])
        found = self.objects["Deployment", name]
        counts = dict.fromkeys(
            ("replicas", "readyReplicas", "updatedReplicas"), found["spec"]["replicas"]
        )
        status = counts | {"observedGeneration": found["metadata"]["generation"]}
        if not status.items() <= found["status"].items():
            with suppress(Refused):  # It may just have gone.
                await asyncio.to_thread(self.api.patch_status, "deployment", name, status)

    async def load(self):
        """Requests one after the other, as soon as anything listens."""
        async with aiohttp.ClientSession() as session:
            while True:
                port = self.record.get("ports", {}).get("rest", 1)
                try:
                    async with session.get(f"http://{self.address}:{port}/") as response:
                        self.answers.append((response.status, await response.text()))
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)


@pytest.fixture
async def canary(api_server, start_operator, tmp_path):
    """Version 1 serves through the router."""
    address = ".".join(["127", *(str(random.randint(1, 254)) for _ in range(3))])
    router = await start_router(
        tmp_path, "--listen-address", address, "--health-port", str(HEALTH_PORT)
    )
    metadata = {"name": "router-pod", "labels": SELECTOR}
    spec = {"containers": [{"name": "router", "image": "modelfleet/router:test"}]}
    await asyncio.to_thread(
        api_server.apply, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    )
    ready = {"type": "Ready", "status": "True"}
    status = {"phase": "Running", "podIP": address, "conditions": [ready]}
    await asyncio.to_thread(api_server.patch_status, "pod", "router-pod", status)
    start_operator(
        api_server.kubeconfig,
        MODELFLEET_NAMESPACES=api_server.namespace,
        MODELFLEET_ROUTER_IMAGE="modelfleet/router:test",
        MODELFLEET_ROUTER_ROLE="ClusterRole/view",
    )
    running = Canary(api_server, tmp_path, address)
    yield running
    await router.end()


async def goes_to(canary, backend, is_so, what):
    """Version 2, made by `backend`, gets its chance under load, until `is_so`."""

    async def has_come():
        return is_so()

    async def serves():
        return canary.is_true("Ready")

    def second(name):
        return (Backend if not canary.pods else backend)(name)

    canary.apply(1)
    async with AsyncExitStack() as running, asyncio.TaskGroup() as tasks:
        begun = [
            tasks.create_task(canary.play_the_cluster(running, second)),
            tasks.create_task(canary.load()),
        ]
        await eventually(serves, "version 1 serves")
        await asyncio.to_thread(canary.apply, 2)
        await eventually(has_come, what)
        for task in begun:
            task.cancel()


async def test_a_version_that_answers_with_errors_is_aborted_by_its_requests_alone(canary):
    await goes_to(canary, Broken, lambda: canary.is_true("Stalled"), "version 2 is aborted")

    status = canary.status
    old, new = status["stable"]["revision"], status["candidate"]["revision"]
    bad = [text for code, text in canary.answers if code != 200]
    assert canary.condition("Stalled")["reason"] == "AnalysisFailed"
    assert status["candidate"]["verdict"] == "Fail"
    assert 0 < status["candidate"]["analysis"]["errors"] <= len(bad)
    assert set(bad) == {new}
    assert {item["revision"]: item["wanted"] for item in status["traffic"]}[old] == 100


async def test_a_version_that_is_as_good_is_promoted_by_its_requests_alone(canary):
    await goes_to(
        canary, Backend, lambda: canary.status["stable"].get("version") == 2, "version 2 serves"
    )

    new = canary.status["stable"]["revision"]
    assert {code for code, _ in canary.answers} == {200}
    assert sum(text == new for _, text in canary.answers) >= 2 * ANALYSIS["minRequests"]
