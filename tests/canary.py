"""A canary with real requests: the operator, an API server, a router with its Envoy.

Only what a kubelet and the controllers would do is played: that pods of a revision are ready, and
where the router's own pod is.
"""

import asyncio
import json
import random
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp

from api_server import ApiServer, Refused
from model_operator.domain.routing.routers import HEALTH_PORT, ROUTER_NAME, SELECTOR
from router.backends import Backend
from router.running import eventually, start_router, write, write_endpoints
from simulated_world import manifest

KINDS = "md,deployments,configmaps"
STEPS = [{"weight": 20}, {"weight": 50}]


class Canary:
    """A ModelDeployment with real requests, and the parts of a cluster around it."""

    def __init__(self, api: ApiServer, folder, address, analysis):
        self.api, self.folder, self.address = api, folder, address
        self.analysis = analysis
        self.objects = {}
        self.pods = {}
        self.answers = []

    def apply(self, version):
        body = manifest(
            model={"version": version},
            rollout={"steps": STEPS, "analysis": self.analysis, "abortKeepSeconds": 0},
        )
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


@asynccontextmanager
async def standing(api_server, start_operator, folder, analysis, **environment):
    """A Canary with a router, and an operator that has these settings as well."""
    address = ".".join(["127", *(str(random.randint(1, 254)) for _ in range(3))])
    router = await start_router(
        folder, "--listen-address", address, "--health-port", str(HEALTH_PORT)
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
        **environment,
    )
    yield Canary(api_server, folder, address, analysis)
    await router.end()


@asynccontextmanager
async def under_load(canary, backend):
    """Version 1 serves, and version 2, made by `backend`, gets its chance: all under load."""

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
        yield
        for task in begun:
            task.cancel()


async def until(is_so, what):
    """Wait until it is so."""

    async def has_come():
        return is_so()

    await eventually(has_come, what)
