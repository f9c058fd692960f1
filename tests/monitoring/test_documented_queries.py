"""The queries that the documentation shows tell a good candidate from a bad one."""

from contextlib import suppress
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


async def numbers(shop, revision, are_enough):
    """What each query gives for a candidate with that revision, as soon as that is enough.

    A rate needs two samples of a counter that moved between them, so the first answers tell little.
    """
    subject = Subject("shop", "ranker", revision=revision, stable=STABLE)
    found = {}
    async with aiohttp.ClientSession() as session:
        source = Prometheus(session, PrometheusSettings(shop.prometheus.url))

        async def are_told():
            for name, query in QUERIES.items():
                answer = await source.ask("shop", filled_in(query.text, subject))
                found[name] = answer.value
            return None not in found.values() and are_enough(found)

        # The test then shows what there is.
        with suppress(TimeoutError):
            await shop.until(are_told)
    return found


def good_ones(found):
    """The queries whose value is within their bounds."""
    return {name for name, query in QUERIES.items() if is_good(query, found[name])}


def is_good(query, value):
    lowest = -inf if query.lowest is None else query.lowest
    highest = inf if query.highest is None else query.highest
    return value is not None and lowest <= value <= highest


async def test_a_bad_candidate_is_within_the_bounds_of_none(shop):
    found = await numbers(shop, CANDIDATE, lambda found: not good_ones(found))

    assert good_ones(found) == set(), found
    assert None not in found.values()


async def test_a_candidate_like_the_stable_revision_is_within_all_of_them(shop):
    found = await numbers(shop, STABLE, lambda found: True)

    assert good_ones(found) == QUERIES.keys(), found
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
