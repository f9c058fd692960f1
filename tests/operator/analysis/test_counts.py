"""What is understood of the counts that routers tell, and what becomes of the rest."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import jsonschema
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from model_operator.cluster.readiness import Readiness, Reply
from model_operator.cluster.routers import Routers
from model_operator.domain.evidence.counts import Tally, Told, told_in
from model_operator.domain.seen.pods import Pod

CONTRACTS = Path(__file__).parents[3] / "contracts"
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((CONTRACTS / "traffic-counts.schema.json").read_text())
)
VALID = sorted((CONTRACTS / "traffic-counts" / "valid").glob("*.json"))
INVALID = sorted((CONTRACTS / "traffic-counts" / "invalid").glob("*.json"))
BEYOND_A_SCHEMA = {
    "errors-above-requests",
    "abandoned-above-errors",
    "falling-buckets",
    "same-revision-twice",
}
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
COUNTS = st.integers(0, 10**6)


@st.composite
def tallies(draw):
    requests = draw(COUNTS)
    errors = draw(st.integers(0, requests))
    abandoned = draw(st.integers(0, errors))
    buckets = draw(st.dictionaries(st.sampled_from([0.0, 1.1, 12.0, 1100.0]), COUNTS))
    return Tally(requests, errors, abandoned, buckets)


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_the_operator_and_the_schema_take_every_valid_example(path):
    example = json.loads(path.read_text())

    assert SCHEMA.is_valid(example)
    assert all(not told_in("r", example, model["name"]).trouble for model in example["models"])


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_example_is_a_trouble(path):
    example = json.loads(path.read_text())

    assert told_in("r", example, "ranker").trouble
    assert SCHEMA.is_valid(example) is (path.stem in BEYOND_A_SCHEMA)


def test_all_that_a_router_tells_of_a_model_is_taken():
    example = json.loads((CONTRACTS / "traffic-counts/valid/canary.json").read_text())

    assert told_in("r", example, "ranker") == Told(
        "r",
        "3f9a1c-2-1",
        {"ranker-5f7c9": 90, "ranker-84b2d": 10},
        {
            "ranker-5f7c9": Tally(903, 2, 1, {0: 400, 1.1: 500, 12: 2}),
            "ranker-84b2d": Tally(97, 0, 0, {1.1: 96}),
        },
    )


@given(ANY_JSON)
def test_whatever_a_router_says_it_is_read_or_refused(answer):
    for found in (answer, {"schema": 1, "models": answer}, {"schema": 1, "models": [answer]}):
        assert told_in("r", found, "ranker").trouble


@given(tallies(), tallies())
def test_what_has_come_since_a_look_is_what_was_added_to_it(before, come):
    since = (before + come).since(before)

    assert (since.requests, since.errors, since.abandoned) == (
        come.requests,
        come.errors,
        come.abandoned,
    )
    assert since.answered == come.answered


@given(tallies(), tallies())
def test_counts_that_fell_are_never_negative(before, now):
    since = now.since(before)

    assert 0 <= since.abandoned <= since.errors <= since.requests
    assert all(count > 0 for count in since.answered_within.values())


@pytest.mark.parametrize(
    ("buckets", "milliseconds"),
    [
        ({}, None),
        ({5.0: 1}, 5.0),
        ({1.0: 99, 50.0: 1}, 1.0),
        ({1.0: 98, 50.0: 2}, 50.0),
        ({1.0: 989, 2.0: 1, 50.0: 10}, 2.0),
        ({50.0: 1, 1.0: 99}, 1.0),
    ],
)
def test_99_of_100_answers_were_there_within_the_p99(buckets, milliseconds):
    assert Tally(answered_within=buckets).quantile(0.99) == milliseconds


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        (None, "does not answer"),
        (Reply(404, None), "is of a release that does not tell its counts"),
        (Reply(503, None), "does not tell its counts now (HTTP 503)"),
        (Reply(200, None), "tells what cannot be read"),
        (Reply(200, {"schema": 2}), "counts in a way that this operator does not know"),
        (Reply(200, {"schema": 1, "models": []}), "does not know the model yet"),
    ],
)
async def test_a_router_that_tells_nothing_is_a_trouble_of_its_own(reply, trouble):
    class Silent:
        async def look(self, *_):
            return reply

    pod = Pod("router-1", "", "127.0.0.1", is_running=True, is_ready=True, trouble=None)

    assert await Routers(Silent()).told("m", [pod]) == (Told("router-1", trouble=trouble),)


@pytest.fixture
async def answering():
    """Starts a process that answers /counts with a status, a body and headers."""
    async with AsyncExitStack() as running:

        async def start(status, body, **headers):
            async def answer(request):
                return web.Response(status=status, body=body, headers=headers)

            app = web.Application()
            app.router.add_get("/counts", answer)
            server = await running.enter_async_context(TestServer(app))
            return server.port

        yield start


@pytest.mark.parametrize(
    ("reply", "trouble"),
    [
        pytest.param((200, b"{"), "tells what cannot be read", id="half an answer"),
        pytest.param((200, b"[" * 100_000), "tells what cannot be read", id="endless lists"),
        pytest.param((200, b"\xff\xfe"), "tells what cannot be read", id="no text"),
        pytest.param((200, b" " * (9 << 20)), "does not answer", id="more than it may say"),
        pytest.param((404, b"there are /healthz"), "is of a release that", id="an older router"),
        pytest.param((302, b""), "does not tell its counts now (HTTP 302)", id="leads elsewhere"),
    ],
)
async def test_whatever_answers_at_a_routers_address_is_borne(answering, reply, trouble):
    port = await answering(*reply)
    pod = Pod("router-1", "", "127.0.0.1", is_running=True, is_ready=True, trouble=None)
    async with aiohttp.ClientSession() as session:
        [told] = await Routers(Readiness(session), port).told("m", [pod])

    assert told.trouble.startswith(trouble)
