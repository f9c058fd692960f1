"""A canary is judged by real requests: the operator, an API server, a router with its Envoy."""

import pytest
from aiohttp import web

from canary import standing, under_load, until
from router.backends import Backend

pytestmark = pytest.mark.api

ANALYSIS = {"minRequests": 50, "maxErrorPercent": 2, "maxErrorPercentAboveStable": 1}


class Broken(Backend):
    """A version that is ready and answers each request with an error."""

    async def _answer_rest(self, request):
        await request.read()
        return web.Response(status=500, body=self.revision.encode())


@pytest.fixture
async def canary(api_server, start_operator, tmp_path):
    """Version 1 serves through the router."""
    async with standing(api_server, start_operator, tmp_path, ANALYSIS) as canary:
        yield canary


async def test_a_version_that_answers_with_errors_is_aborted_by_its_requests_alone(canary):
    async with under_load(canary, Broken):
        await until(lambda: canary.is_true("Stalled"), "version 2 is aborted")

    status = canary.status
    old, new = status["stable"]["revision"], status["candidate"]["revision"]
    bad = [text for code, text in canary.answers if code != 200]
    assert canary.condition("Stalled")["reason"] == "AnalysisFailed"
    assert status["candidate"]["verdict"] == "Fail"
    assert 0 < status["candidate"]["analysis"]["errors"] <= len(bad)
    assert set(bad) == {new}
    assert {item["revision"]: item["wanted"] for item in status["traffic"]}[old] == 100


async def test_a_version_that_is_as_good_is_promoted_by_its_requests_alone(canary):
    async with under_load(canary, Backend):
        await until(lambda: canary.status["stable"].get("version") == 2, "version 2 serves")

    new = canary.status["stable"]["revision"]
    assert {code for code, _ in canary.answers} == {200}
    assert sum(text == new for _, text in canary.answers) >= 2 * ANALYSIS["minRequests"]
