"""A stable revision and a bad candidate behind a real router, watched by a real Prometheus."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry, Counter, start_http_server

from helm import rendered
from model_operator.domain.wish.spec import parse
from model_operator.metrics.operation import Metrics
from model_operator.render.pod import pod_template
from model_operator.render.router import router_objects
from model_operator.settings import Role, RouterSettings
from monitoring.documented import scrape_jobs
from real_prometheus import RealPrometheus, prometheus
from router.running import RunningRouter, free_port, start_router, write
from server.conftest import Running, serve
from simulated_world import model_deployment

STABLE, CANDIDATE = "ranker-5f7c9", "ranker-84b2d"
MODEL = """
import time
class Model:
    signatures = {
        "serving_default": {"inputs": {"x": ("DTYPE", [None])}, "outputs": {"y": "float32"}}
    }
    def predict(self, inputs, signature):
        WORK
        return {"y": (inputs["x"] / 2 + 2).astype("float32")}
"""
GOOD = {"DTYPE": "float32", "WORK": "pass"}
# It takes whole numbers only, much time (a busy machine makes the other slow too), and no fives.
BAD = {"DTYPE": "int64", "WORK": "time.sleep(0.3); assert inputs['x'][0] % 5"}


@dataclass
class Shop:
    """What runs in the namespace `shop`, and how to send requests there."""

    prometheus: RealPrometheus
    rest_port: int
    clicks: Counter
    shown: Counter

    async def until(self, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Send requests until it is so."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(180):
            while not await is_so():
                await asyncio.gather(*(self._ask(session, number) for number in range(20)))

    async def _ask(self, session: aiohttp.ClientSession, number: int) -> None:
        body = {"instances": [number if number % 4 else 0.5]}
        url = f"http://127.0.0.1:{self.rest_port}/v1/models/ranker:predict"
        async with session.post(url, json=body) as response:
            await response.read()
            revision = response.headers["x-modelfleet-revision"]
        self.shown.labels(revision).inc()
        # Nobody likes what the candidate shows.
        self.clicks.labels(revision).inc(number % 2 if revision == STABLE else 0)


@pytest.fixture(scope="module")
def revisions(tmp_path_factory):
    """A model-server of each revision."""
    running = {}
    for revision, parts in ((STABLE, GOOD), (CANDIDATE, BAD)):
        code = MODEL
        for part, text in parts.items():
            code = code.replace(part, text)
        folder = tmp_path_factory.mktemp(revision) / "ranker"
        (folder / "1").mkdir(parents=True)
        (folder / "1" / "model.py").write_text(code)
        config = f'config {{ name: "ranker" base_path: "{folder}" model_platform: "python" }}'
        running[revision] = serve(config, servable_platforms="python")
    for server in running.values():
        server.http.wait_until_ready()
    yield running
    for server in running.values():
        server.end()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def router(revisions, tmp_path_factory) -> AsyncIterator[tuple[RunningRouter, int]]:
    """A router that splits requests between them, and its port for REST."""
    folder = tmp_path_factory.mktemp("router")
    running = await start_router(folder)
    for revision, server in revisions.items():
        pod = {"address": "127.0.0.1", "restPort": server.http.port, "grpcPort": server.http.port}
        document = {"schema": 1, "revision": revision, "endpoints": [pod]}
        write(folder / "endpoints" / f"{revision}.json", document)
    ports = (free_port(), free_port())
    running.write_record("ranker", ports, {STABLE: 50, CANDIDATE: 50})
    await running.until("ranker", "Programmed")
    yield running, ports[1]
    await running.end()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(revisions, router, tmp_path_factory) -> AsyncIterator[Shop]:
    """All of it, and an application that counts clicks by the revision that answered."""
    registry = CollectorRegistry()
    clicks = Counter("shop_clicks", "Clicks.", ["revision"], registry=registry)
    shown = Counter("shop_shown", "What was shown.", ["revision"], registry=registry)
    with telling(registry) as port, telling(operators_registry()) as operators_port:
        pods = [*server_targets(revisions), *router_targets(router[0])]
        pods += targets(operator_template(), operators_port, "modelfleet-system")
        own = {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        with prometheus(tmp_path_factory.mktemp("prometheus"), *jobs(pods), own) as running:
            yield Shop(running, router[1], clicks, shown)


@contextmanager
def telling(registry: CollectorRegistry) -> Iterator[int]:
    """The port on which these metrics are told."""
    server, thread = start_http_server(0, "127.0.0.1", registry)
    yield int(server.server_address[1])
    server.shutdown()
    server.server_close()
    thread.join()


def operators_registry() -> CollectorRegistry:
    """What an operator tells of these revisions."""
    pods = {"replicas": 1, "readyReplicas": 1}
    revisions = [
        {"name": STABLE, "version": 7, **pods},
        {"name": CANDIDATE, "version": 9, "variant": "big", **pods},
    ]
    metrics = Metrics(CollectorRegistry())
    metrics.states.note("shop/ranker", {"revisions": revisions})
    return metrics.registry


def operator_template() -> dict[str, Any]:
    """The operator's pod, which is in another namespace than the models."""
    [deployment] = [item for item in rendered() if item["kind"] == "Deployment"]
    template: dict[str, Any] = deployment["spec"]["template"]
    return template


def jobs(targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The jobs of the documentation, which find these targets where pods were to be found."""
    found = []
    for job in scrape_jobs():
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
        found.append(job | {"static_configs": targets})
    return found


def server_targets(revisions: dict[str, Running]) -> list[dict[str, Any]]:
    """The pods of the revisions, as Prometheus finds them."""
    deployment = parse(model_deployment())
    return [
        target
        for revision, server in revisions.items()
        for target in targets(pod_template(deployment, revision, "server:1"), server.http.port)
    ]


def router_targets(router: RunningRouter) -> list[dict[str, Any]]:
    """The pods of the router, as Prometheus finds them."""
    objects = router_objects("shop", RouterSettings("router:1", Role("Role", "router")))
    [template] = [item["spec"]["template"] for item in objects if item["kind"] == "Deployment"]
    return targets(template, router.health_port)


def targets(template: dict[str, Any], port: int, namespace: str = "shop") -> list[dict[str, Any]]:
    """What Prometheus makes of a pod: a target for each port, which all lead to this one.

    Labels: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#pod
    """
    pod = {
        f"__meta_kubernetes_pod_label_{re.sub('[^a-zA-Z0-9]', '_', name)}": value
        for name, value in template["metadata"]["labels"].items()
    }
    pod |= {"__meta_kubernetes_namespace": namespace, "__meta_kubernetes_pod_name": "a-pod"}
    [container] = template["spec"]["containers"]
    return [
        {
            "targets": [f"127.0.0.1:{port}"],
            "labels": pod | {"__meta_kubernetes_pod_container_port_name": item["name"]},
        }
        for item in container["ports"]
    ]
