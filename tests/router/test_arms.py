"""Variants and a shadow from the spec to who answers: the operator's plans, and a real router."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import aiohttp
import pytest
import pytest_asyncio

from model_operator.domain.routing.traffic import Ports
from model_operator.domain.seen.observed import Routing
from rollout_world import STEPS, live
from router.backends import Backend
from router.running import (
    Load,
    eventually,
    free_port,
    rest_answers,
    rest_load,
    start_router,
)
from simulated_world import World, model_deployment

pytestmark = pytest.mark.asyncio(loop_scope="module")
once = pytest_asyncio.fixture(scope="module", loop_scope="module")
USERS = [f"user-{number}" for number in range(200)]
BIG = {"name": "big", "model": {"version": 9}, "weight": 30}
TESTERS = {
    "name": "testers",
    "model": {"version": 8},
    "match": [{"header": "x-cohort", "regex": "test.*"}],
}
SPEC = {
    "replicas": 2,
    "rollout": {"steps": STEPS},
    "variants": [BIG, TESTERS],
    "shadow": {"model": {"version": 10}, "percent": 100},
    "traffic": {"stickyHeader": "x-user-id"},
}


class Shop:
    """A ModelDeployment whose records a real router follows, with a pod for each revision."""

    def __init__(self, router, pods):
        self.router, self._pods = router, pods
        self.world = World(model_deployment(**SPEC))
        self.ports = Ports(free_port(), free_port())
        self.world.routing = Routing(self.ports)
        self.backends = {}

    async def settle(self, *broken):
        """All pods but those of broken revisions get ready, and the router has heard of it."""
        live(self.world, *broken)
        for name in self.world.deployments():
            if name not in self.backends:
                self.backends[name] = await self._pods.enter_async_context(Backend(name))
            self.router.write_endpoints(name, self.backends[name])
        self._write_record()
        weights = self.world.weights()
        shown = ", ".join(f"{weight} % {name}" for name, weight in weights.items())
        await self.router.until("ranker", "Programmed", shown)
        for name in broken:
            self.router.write_endpoints(name)
        return weights

    def _write_record(self):
        (record,) = [child for key, child in self.world.children.items() if key.kind == "ConfigMap"]
        path = self.router.folder / "records" / "ranker.json"
        path.with_suffix(".tmp").write_text(record["data"]["record.json"])
        path.with_suffix(".tmp").rename(path)

    def revision_of(self, name):
        known = {item["name"]: item for item in self.world.body["status"]["variants"]}
        return known[name]["revision"]

    async def answers(self, headers):
        url = f"http://127.0.0.1:{self.ports.rest}/"
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as got:
            return await got.text()

    async def sides(self):
        return {user: await self.answers({"x-user-id": user}) for user in USERS}


@once
async def shop(tmp_path_factory):
    router = await start_router(tmp_path_factory.mktemp("router"))
    async with AsyncExitStack() as pods:
        made = Shop(router, pods)
        await made.settle()
        yield made
    assert await router.end() == 0


async def test_requests_are_shared_between_the_main_model_and_a_variant(shop):
    answers = await rest_answers(shop.ports.rest, 1000)

    main, big = shop.world.stable(), shop.revision_of("big")
    assert answers.keys() == {main, big}
    # By chance alone, 8 points are left in 1 of 30 million runs.
    assert abs(answers[big] / 1000 - 0.30) < 0.08


async def test_a_header_leads_to_its_variant(shop):
    assert await shop.answers({"x-cohort": "testers"}) == shop.revision_of("testers")


async def test_the_shadow_gets_copies_and_answers_nobody(shop):
    shadow = shop.backends[shop.world.body["status"]["shadow"]["revision"]]
    before = shadow.requests["/"]

    answered = {await shop.answers({}) for _ in range(20)}

    async def all_copies_came():
        return shadow.requests["/"] == before + 20

    assert shadow.revision not in answered
    await eventually(all_copies_came, "every request was copied")


async def test_a_rollout_moves_no_user_of_a_variant(shop):
    before = await shop.sides()
    old, big = shop.world.stable(), shop.revision_of("big")
    shop.world.edit(model={"version": 2})
    weights = await shop.settle()
    new = shop.world.candidate()
    after = await shop.sides()
    moved = {user for user in USERS if before[user] != after[user]}

    assert weights == {old: 63, new: 7, big: 30}
    assert {user for user in USERS if after[user] == big} == {
        user for user in USERS if before[user] == big
    }
    assert {before[user] for user in moved} == {old}
    # Of fixed names, so no draw of chance: 14 of 200 would be exact.
    assert 0 < Counter(after.values())[new] < 30


async def test_a_variant_that_loses_its_pods_loses_no_request(shop):
    big, load = shop.revision_of("big"), Load()
    asking = asyncio.create_task(rest_load(shop.ports.rest, load))
    weights = await shop.settle(big)
    answers = await rest_answers(shop.ports.rest, 80)
    load.ended = True
    await asking

    assert big not in weights
    assert big not in answers
    assert load.failures == []


async def test_requests_for_pods_that_are_lost_go_to_others_though_nobody_writes_a_record(shop):
    """As while the operator is away: the router follows the pods alone."""
    await shop.settle()
    testers, big = shop.revision_of("testers"), shop.revision_of("big")
    for name in (testers, big):
        shop.router.write_endpoints(name)

    async def others_answer():
        chosen = await shop.answers({"x-cohort": "testers"})
        answers = await rest_answers(shop.ports.rest, 80)
        return chosen in answers and len(answers) <= 2 and big not in answers

    await eventually(others_answer, "all requests go to pods that there are")
    assert all(name in shop.backends for name in await rest_answers(shop.ports.rest, 80))

    for name in (testers, big):
        shop.router.write_endpoints(name, shop.backends[name])

    async def they_are_back():
        answers = await rest_answers(shop.ports.rest, 80)
        return big in answers and await shop.answers({"x-cohort": "testers"}) == testers

    await eventually(they_are_back, "variants get their requests again")
