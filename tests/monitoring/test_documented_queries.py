"""The queries that the documentation shows tell a good candidate from a bad one."""

from math import inf

import aiohttp
import pytest

from model_operator.domain.evidence.promql import Subject, filled_in
from model_operator.domain.wish.analysis import parse_analysis
from model_operator.prometheus.source import Prometheus
from model_operator.settings import PrometheusSettings
from monitoring.conftest import CANDIDATE, STABLE
from monitoring.documented import analysis, requests_by_variant

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERIES = {query.name: query for query in parse_analysis(analysis()).queries}


async def numbers(shop, revision):
    """What each query gives for a candidate with that revision, when all give something."""
    subject = Subject("shop", "ranker", revision=revision, stable=STABLE)
    found = {}
    async with aiohttp.ClientSession() as session:
        source = Prometheus(session, PrometheusSettings(shop.prometheus.url))

        async def are_known():
            for name, query in QUERIES.items():
                answer = await source.ask("shop", filled_in(query.text, subject))
                found[name] = answer.value
            return None not in found.values()

        await shop.until(are_known)
    return found


def is_good(query, value):
    lowest = -inf if query.lowest is None else query.lowest
    return lowest <= value <= (inf if query.highest is None else query.highest)


async def test_a_bad_candidate_is_within_the_bounds_of_none(shop):
    found = await numbers(shop, CANDIDATE)

    assert [name for name, query in QUERIES.items() if is_good(query, found[name])] == [], found


async def test_a_candidate_like_the_stable_revision_is_within_all_of_them(shop):
    found = await numbers(shop, STABLE)

    assert all(is_good(query, found[name]) for name, query in QUERIES.items()), found
    assert found["slower"] == 1


async def test_requests_are_told_by_variant_and_version(shop):
    def rates():
        return shop.prometheus.query(requests_by_variant())

    async def are_there():
        return len(rates()) == 2

    await shop.until(are_there)

    labels = {"namespace": "shop", "modeldeployment": "ranker"}
    told = [item["metric"] for item in rates()]
    assert sorted(told, key=lambda item: item["version"]) == [
        labels | {"version": "7"},
        labels | {"version": "9", "variant": "big"},
    ]
