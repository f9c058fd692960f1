"""Queries are asked in the background, again and again, as long as somebody wants to know."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web

from model_operator.domain.evidence.promql import Answer, Answers, Questions
from model_operator.prometheus.polling import Pace, Polling
from model_operator.prometheus.source import Prometheus
from model_operator.settings import PrometheusSettings
from prometheus_wire import listening

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
CTR = Questions("shop", {"ctr": "ctr", "errors": "errors"}, BEGAN)


class World:
    """A Prometheus that answers with how often it was asked, and who was woken."""

    def __init__(self):
        self.asked, self.woken = Counter(), asyncio.Queue()
        self.running = self.most_at_once = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def answer(self, request):
        query = request.query["query"]
        self.asked[query] += 1
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        await self.may_answer.wait()
        self.running -= 1
        result = [0, str(self.asked[query])]
        data = {"resultType": "scalar", "result": result}
        return web.json_response({"status": "success", "data": data})

    async def until_woken(self, key):
        assert await asyncio.wait_for(self.woken.get(), 30) == key


@asynccontextmanager
async def polling(world, **pace):
    async with listening(world.answer) as url, aiohttp.ClientSession() as session:
        source = Prometheus(session, PrometheusSettings(url))
        chosen = Pace(**{"pause": timedelta(days=1)} | pace)
        polled = Polling(source, world.woken.put_nowait, chosen)
        try:
            yield polled
        finally:
            world.may_answer.set()
            await polled.end()


async def test_a_pass_does_not_wait_and_is_made_again_when_the_answers_are_there():
    world = World()
    async with polling(world) as polled:
        before = datetime.now(UTC)

        assert polled.latest("shop/ranker", CTR) == Answers()
        await world.until_woken("shop/ranker")

        answers = polled.latest("shop/ranker", CTR)
        assert answers.by_name == {"ctr": Answer(1.0), "errors": Answer(1.0)}
        assert answers.at is not None and before <= answers.at <= datetime.now(UTC)
        assert world.asked == {"ctr": 1, "errors": 1}


async def test_they_are_asked_again_until_they_are_forgotten():
    world = World()
    async with polling(world, pause=timedelta()) as polled:
        polled.latest("shop/ranker", CTR)
        for _ in range(3):
            await world.until_woken("shop/ranker")
        assert polled.latest("shop/ranker", CTR).by_name["ctr"].value >= 3

        polled.forget("shop/ranker")
        world.may_answer.clear()

        assert polled.latest("shop/ranker", CTR) == Answers()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(CTR, since=BEGAN + timedelta(seconds=1)), id="of the next step"),
        pytest.param(replace(CTR, queries={"ctr": "other", "errors": "errors"}), id="edited"),
    ],
)
async def test_an_answer_to_another_question_is_none(other):
    world = World()
    async with polling(world) as polled:
        polled.latest("shop/ranker", CTR)
        await world.until_woken("shop/ranker")

        assert polled.latest("shop/ranker", other) == Answers()
        await world.until_woken("shop/ranker")

        assert polled.latest("shop/ranker", other).by_name.keys() == {"ctr", "errors"}


async def test_an_answer_without_a_successor_counts_for_a_while_only():
    world = World()
    async with polling(world, kept=timedelta(microseconds=-1)) as polled:
        polled.latest("shop/ranker", CTR)
        await world.until_woken("shop/ranker")

        assert polled.latest("shop/ranker", CTR) == Answers()


async def test_a_bad_verdict_uses_its_answers_up_and_the_next_ones_come_in_their_time():
    world = World()
    async with polling(world) as polled:
        polled.latest("shop/ranker", CTR)
        await world.until_woken("shop/ranker")

        assert polled.latest("shop/ranker", replace(CTR, bad_verdicts=1)) == Answers()
        assert polled.latest("shop/ranker", replace(CTR, bad_verdicts=1)) == Answers()

    assert world.asked["ctr"] == 1


async def test_after_a_bad_verdict_the_same_queries_are_asked_on():
    world = World()
    async with polling(world, pause=timedelta()) as polled:
        polled.latest("shop/ranker", CTR)
        await world.until_woken("shop/ranker")
        again = replace(CTR, bad_verdicts=1)
        polled.latest("shop/ranker", again)

        for _ in range(2):  # The first may have been under way.
            await world.until_woken("shop/ranker")

        assert polled.latest("shop/ranker", again).by_name["ctr"].value > 1


async def test_a_slow_prometheus_is_not_asked_by_all_at_once():
    world = World()
    world.may_answer.clear()
    async with polling(world) as polled:
        for number in range(10):
            polled.latest(f"shop/model-{number}", CTR)
        while sum(world.asked.values()) < 4:
            await asyncio.sleep(0)
        world.may_answer.set()
        for _ in range(10):
            await asyncio.wait_for(world.woken.get(), 30)

        assert world.most_at_once == 4
        assert sum(world.asked.values()) == 20
