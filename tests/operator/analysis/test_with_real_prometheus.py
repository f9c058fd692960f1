"""A canary is held and judged by numbers of a real Prometheus, beside real requests."""

import asyncio

import pytest

from canary import standing, under_load, until
from real_prometheus import prometheus
from router.backends import Backend

pytestmark = pytest.mark.api


def analysis(query):
    ctr = {"name": "ctr", "query": query, "min": 0.02}
    return {"minRequests": 20, "prometheus": [ctr]}


BROKEN = 'sum(clicks{revision="${revision}"}'
MENDED = 'label_replace(vector(0.013), "revision", "${revision}", "", "")'


@pytest.fixture
async def canary(api_server, start_operator, tmp_path):
    with prometheus(tmp_path) as running:
        url = {"MODELFLEET_PROMETHEUS_URL": running.url}
        found = standing(api_server, start_operator, tmp_path, analysis(BROKEN), **url)
        async with found as canary:
            yield canary


async def test_a_broken_query_holds_a_version_back_and_mended_its_number_decides(canary):
    def said():
        return canary.status.get("candidate", {}).get("analysis", {}).get("message", "")

    async with under_load(canary, Backend):
        await until(lambda: "query is broken" in said(), "the status says what is wrong")
        held, message = canary.status["candidate"], said()
        canary.analysis = analysis(MENDED)
        await asyncio.to_thread(canary.apply, 2)
        await until(lambda: canary.is_true("Stalled"), "version 2 is aborted")

    assert held["verdict"] == "Inconclusive"
    assert held["weight"] == 20
    assert "parse error: unclosed left parenthesis" in message
    assert canary.condition("Stalled")["reason"] == "AnalysisFailed"
    assert "ctr is 0.013, below 0.02" in canary.condition("Stalled")["message"]
    numbers = canary.status["candidate"]["analysis"]["prometheus"]
    assert numbers == [{"name": "ctr", "value": 0.013}]
