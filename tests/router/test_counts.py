"""What a router counts for each revision: real requests of every end through a real Envoy."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import aiohttp
import grpc.aio
import jsonschema
import pytest

from model_operator.domain.evidence.counts import Tally, told_in
from model_router.envoy.counts import Counts, counts_in
from router.backends import METHOD, STUCK
from router.running import eventually, grpc_answers, rest_answers, write_endpoints

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "contracts/traffic-counts.schema.json").read_text())
)


async def told(router):
    """What the operator reads of the model, in an answer that keeps the contract."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{router.health_port}/counts") as response,
    ):
        answer = await response.json()
    SCHEMA.validate(answer)
    return told_in("router", answer, "m")


async def until_told(router, **ends):
    """Wait until the candidate's counts are these; the sums of latencies come later."""

    async def is_so():
        tally = (await told(router)).tallies.get("m-candidate", Tally())
        found = {"requests": tally.requests, "errors": tally.errors, "abandoned": tally.abandoned}
        return found == {"abandoned": 0, **ends}

    await eventually(is_so, f"the candidate has {ends}")


@pytest.fixture
async def canary(router, candidate, stable, ports):
    router.write_endpoints("m-candidate", candidate)
    router.write_endpoints("m-stable", stable)
    router.write_record("m", ports, {"m-stable": 0, "m-candidate": 100}, timeoutSeconds=1)
    await router.until("m", "Programmed")
    return router


async def rest(port, path, seconds=10.0):
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                return response.status
        except TimeoutError:
            return "gave up"


async def call(port, method, gives_up=False):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        calling = channel.unary_unary(method)(b"")
        if gives_up:
            await asyncio.sleep(0.2)
            calling.cancel()
        try:
            await calling
        except grpc.aio.AioRpcError as error:
            return error.code().name
        except asyncio.CancelledError:
            return "gave up"


async def test_rest_errors_are_answers_of_5xx_timeouts_and_requests_that_callers_gave_up(
    canary, ports, candidate
):
    ends = [await rest(ports[1], path) for path in ("/", "/error", "/reset", "/stuck")]
    ends.append(await rest(ports[1], "/stuck", 0.2))

    assert ends == [200, 500, 503, 504, "gave up"]
    await until_told(canary, requests=5, errors=4, abandoned=1)


async def test_grpc_errors_are_codes_that_are_the_servers_fault_and_calls_that_were_given_up(
    canary, ports
):
    ends = [await call(ports[0], method) for method in (METHOD, "/test.Echo/Nothing", STUCK)]
    ends.append(await call(ports[0], STUCK, gives_up=True))

    assert ends == [None, "UNIMPLEMENTED", "DEADLINE_EXCEEDED", "gave up"]
    await until_told(canary, requests=4, errors=3, abandoned=1)


async def test_requests_that_find_no_pod_are_errors(canary, ports):
    write_endpoints(canary.folder, "m-candidate")

    async def is_so():
        return await rest(ports[1], "/") == 503 and await call(ports[0], METHOD) == "UNAVAILABLE"

    await eventually(is_so, "nobody answers")
    tally = (await told(canary)).tallies["m-candidate"]
    assert tally.errors >= 2


async def test_latencies_are_those_of_both_protocols(canary, ports):
    await rest_answers(ports[1], 16)
    await grpc_answers(ports[0], 16)

    async def is_so():
        return (await told(canary)).tallies["m-candidate"].answered == 32

    await eventually(is_so, "all answers have their times")


async def test_a_new_split_begins_at_0_and_is_told_with_it(canary, ports):
    await rest_answers(ports[1], 40)
    await until_told(canary, requests=40, errors=0)
    former = await told(canary)
    canary.write_record("m", ports, {"m-stable": 100, "m-candidate": 0}, timeoutSeconds=1)
    await canary.until("m", "Programmed", "100 % m-stable")

    async def is_so():
        return (await told(canary)).epoch != former.epoch

    await eventually(is_so, "the counts begin anew")
    await rest_answers(ports[1], 8)
    now = await told(canary)
    assert former.split == {"m-stable": 0, "m-candidate": 100}
    assert now.split == {"m-stable": 100, "m-candidate": 0}
    assert now.tallies["m-candidate"].requests == 0
    assert now.tallies["m-stable"].requests == 8


async def test_a_model_that_comes_again_begins_at_0(canary, ports):
    await rest_answers(ports[1], 40)
    await until_told(canary, requests=40, errors=0)
    (canary.folder / "records" / "m.json").unlink()

    async def is_gone():
        return (await told(canary)).trouble == "does not know the model yet"

    await eventually(is_gone, "the model is gone")
    canary.write_record("m", ports, {"m-stable": 0, "m-candidate": 100})
    await canary.until("m", "Programmed")
    await rest_answers(ports[1], 8)

    await until_told(canary, requests=8, errors=0)


async def test_another_envoy_begins_at_0_under_another_epoch(canary, ports):
    await rest_answers(ports[1], 40)
    await until_told(canary, requests=40, errors=0)
    former, envoy = await told(canary), canary.envoy_pid()
    os.kill(envoy, signal.SIGKILL)
    await canary.until_another_envoy(envoy)

    async def is_so():
        try:
            return await rest(ports[1], "/") == 200
        except aiohttp.ClientError:
            return False

    await eventually(is_so, "the other Envoy answers")
    now = await told(canary)
    assert now.epoch != former.epoch
    assert now.tallies["m-candidate"].requests < 40


def stats(cluster, **counters):
    """An answer of Envoy's admin interface about one cluster."""
    found = [{"name": f"cluster.{cluster}.{name}", "value": n} for name, n in counters.items()]
    return json.dumps({"stats": found}).encode()


@pytest.mark.parametrize(
    ("cluster", "counters", "expected"),
    [
        pytest.param("m/r/rest", {"upstream_rq_completed": 5}, Counts(5), id="answers"),
        pytest.param(
            "m/r/rest",
            {"upstream_rq_completed": 5, "upstream_rq_cancelled": 2},
            Counts(7, 2, 2),
            id="given up before there was a connection",
        ),
        pytest.param(
            "m/r/rest",
            {"upstream_rq_completed": 5, "upstream_rq_5xx": 1, "upstream_rq_timeout": 1},
            Counts(5, 1),
            id="a timeout of which the closed connection is not counted yet",
        ),
        pytest.param(
            "m/r/grpc",
            {"upstream_rq_completed": 5, "grpc.0": 3, "grpc.3": 1, "grpc.13": 1},
            Counts(5, 1),
            id="an argument that is not valid is the caller's fault",
        ),
        pytest.param(
            "m/r/grpc",
            {"grpc.4": 2, "upstream_rq_tx_reset": 1, "upstream_rq_cancelled": 2},
            Counts(3, 3, 1),
            id="deadlines that pass before there is a connection",
        ),
        pytest.param(
            "m/r/grpc",
            {"upstream_rq_completed": 5, "upstream_rq_5xx": 5},
            Counts(5, 5),
            id="answers that are none of gRPC",
        ),
        pytest.param("m/r/grpc", {"upstream_rq_tx_reset": 2}, Counts(2, 2, 2), id="all given up"),
    ],
)
def test_counters_of_envoy_add_up_to_ends_of_requests(cluster, counters, expected):
    assert counts_in(stats(cluster, **counters)) == {("m", "r"): expected}
