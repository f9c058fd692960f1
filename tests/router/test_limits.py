"""What a request and a connection may take, and what happens to those that want more."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter

import aiohttp
import grpc.aio
import pytest
import pytest_asyncio

from router.backends import METHOD, REMAINING, STUCK, Backend
from router.running import (
    Load,
    eventually,
    free_port,
    grpc_answers,
    grpc_load,
    rest_answers,
    rest_load,
    start_router,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
once = pytest_asyncio.fixture(scope="module", loop_scope="module")


@once
async def pod():
    async with Backend("m-stable") as backend:
        yield backend


@once
async def router(tmp_path_factory):
    """A router that ends connections after a second, and writes a line for every request."""
    folder = tmp_path_factory.mktemp("router")
    running = await start_router(folder, "--longest-connection-seconds", "1", "--access-log")
    yield running
    assert await running.end() == 0


@once
async def ports(router, pod):
    """The ports of the model "m", which has one pod and one second for each request."""
    found = (free_port(), free_port())
    router.write_endpoints("m-stable", pod)
    router.write_record("m", found, {"m-stable": 100}, timeoutSeconds=1)
    await router.until("m", "Programmed")
    return found


async def ask(port, path="/", **options):
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            options.pop("method", "GET"), f"http://127.0.0.1:{port}{path}", **options
        ) as response,
    ):
        return response.status, await response.text()


async def call(port, method=METHOD, **options):
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            return (await channel.unary_unary(method)(b"", **options)).decode()
        except grpc.aio.AioRpcError as error:
            return error.code().name


async def test_a_request_ends_at_the_deadline_of_the_record(router, ports):
    code, said = await ask(ports[1], "/stuck")

    assert (code, said) == (504, "upstream request timeout")
    assert await call(ports[0], STUCK) == "DEADLINE_EXCEEDED"


async def test_clients_do_not_choose_retries_deadlines_or_statistics(router, ports, pod):
    wishes = {
        "x-envoy-retry-on": "5xx",
        "x-envoy-max-retries": "5",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-upstream-alt-stat-name": "chosen",
    }

    failed = await ask(ports[1], "/error", headers=wishes)
    in_time = await ask(ports[1], headers=wishes)

    assert (failed, in_time) == ((500, "m-stable"), (200, "m-stable"))
    assert pod.requests["/error"] == 1
    assert await router.counts("chosen") == {}


async def test_what_a_pod_may_have_begun_is_not_sent_twice(router, ports, pod):
    code, said = await ask(ports[1], "/reset", method="POST", data=b"x")

    assert code == 503
    assert "connection termination" in said
    assert pod.requests["/reset"] == 1


@pytest.mark.parametrize(
    "headers",
    [{"x-one": "x" * 40_000, "x-two": "x" * 40_000}, {f"x-{number}": "x" for number in range(120)}],
    ids=["too long", "too many"],
)
async def test_headers_beyond_the_limits_are_refused_and_others_go_on(router, ports, headers):
    refused = await ask(ports[1], headers=headers)
    metadata = tuple(headers.items())
    refused_call = await call(ports[0], metadata=metadata)

    assert refused[0] == 431
    assert refused_call == "INTERNAL"
    assert (await ask(ports[1]), await call(ports[0])) == ((200, "m-stable"), "m-stable")


async def test_long_connections_are_renewed_without_losing_a_request(router, ports):
    load = Load()
    async with asyncio.TaskGroup() as clients:
        clients.create_task(rest_load(ports[1], load))
        clients.create_task(grpc_load(ports[0], load))

        async def both_have_been_renewed():
            found = await router.counts("http.m/.*downstream_cx_total$")
            return len(found) == 2 and min(found.values()) >= 3

        await eventually(both_have_been_renewed, "every client has connected three times")
        load.ended = True

    assert load.failures == []
    assert set(load.answers) == {"m-stable"}


async def test_every_request_is_a_line_of_the_access_log(router, ports):
    await ask(ports[1], "/v1/logged?secret=1", headers={"authorization": "secret"})
    await call(ports[0], "/test.Echo/Logged")
    output = router.folder / "output"

    async def both_are_there():
        return output.read_text().lower().count("logged") >= 2

    await eventually(both_are_there, "two lines are written")
    lines = [json.loads(line) for line in output.read_text().splitlines() if "ogged" in line]
    assert {(line["model"], line["method"], line["path"], line["grpc"]) for line in lines} == {
        ("m", "GET", "/v1/logged", None),
        ("m", "POST", "/test.Echo/Logged", "Unimplemented"),
    }
    assert {line["revision"] for line in lines} == {"m/m-stable/rest", "m/m-stable/grpc"}
    assert "secret" not in output.read_text()


async def test_rest_is_spoken_over_http_2_as_well(router, ports):
    process = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--http2-prior-knowledge", "--write-out", " over %{http_version}"),
        f"http://127.0.0.1:{ports[1]}/",
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()

    assert said == b"m-stable over 2"


async def test_requests_beyond_the_records_limit_are_refused_at_once(router, pod):
    grpc_port, port = free_port(), free_port()
    router.write_endpoints("one-a", pod)
    router.write_record("one", (grpc_port, port), {"one-a": 100}, maxConcurrentRequests=1)
    await router.until("one", "Programmed")

    answers = await asyncio.gather(*(ask(port, "/slow") for _ in range(4)))

    codes = Counter(code for code, _ in answers)
    assert codes == {200: 1, 503: 3}
    assert {said for code, said in answers if code == 503} == {
        "upstream connect error or disconnect/reset before headers. reset reason: overflow"
    }
    assert pod.requests["/slow"] == 1


@once
async def unlimited(router, pod):
    """The ports of a model without a limit, of whose two pods one cannot be reached."""
    found = (free_port(), free_port())
    router.write_endpoints("u-a", pod, Backend("gone", free_port(), free_port()))
    router.write_record("u", found, {"u-a": 100}, timeoutSeconds=60)
    await router.until("u", "Programmed")
    return found


async def test_a_pod_sees_the_shorter_of_the_callers_deadline_and_the_records(unlimited):
    without, longer, shorter = [
        float(await call(unlimited[0], REMAINING, timeout=timeout)) for timeout in (None, 600, 30)
    ]

    assert 31 < without < 61
    assert 31 < longer < 61
    assert 0 < shorter < 31


async def test_a_pod_that_cannot_be_reached_costs_no_request_and_is_left_out(router, unlimited):
    assert await rest_answers(unlimited[1], 400) == {"m-stable": 400}
    assert await grpc_answers(unlimited[0], 400) == {"m-stable": 400}
    ejections = await router.counts("cluster.u/u-a/.*ejections_enforced_total$")
    failures = await router.counts("cluster.u/u-a/.*upstream_cx_connect_fail$")
    assert min(ejections.values()) >= 1
    assert sum(failures.values()) < 100


async def test_a_large_body_is_sent_again_after_a_failed_connection(unlimited):
    body = b"x" * (12 << 20)

    answers = [await ask(unlimited[1], method="POST", data=io.BytesIO(body)) for _ in range(6)]

    assert answers == [(200, "m-stable")] * 6


async def test_what_revisions_did_is_told_as_metrics(router, pod):
    ports = (free_port(), free_port())
    router.write_endpoints("told-a", pod)
    router.write_record("told", ports, {"told-a": 100}, timeoutSeconds=1)
    await router.until("told", "Programmed")
    await rest_answers(ports[1], 40)
    await ask(ports[1], "/error")
    await ask(ports[1], "/stuck")
    await grpc_answers(ports[0], 8)
    await call(ports[0], "/test.Echo/Unknown")

    async def lines():
        _, text = await ask(router.health_port, "/metrics")
        return [line for line in text.splitlines() if 'envoy_cluster_name="told/told-a/' in line]

    async def all_is_counted():
        found = " ".join(await lines())
        return "upstream_rq_timeout" in found and "upstream_rq_time_bucket" in found

    await eventually(all_is_counted, "the request that took too long is counted")
    found = set(await lines())
    rest, grpc_ = 'envoy_cluster_name="told/told-a/rest"', 'envoy_cluster_name="told/told-a/grpc"'
    assert f"envoy_cluster_upstream_rq_completed{{{rest}}} 42" in found
    assert f"envoy_cluster_upstream_rq_timeout{{{rest}}} 1" in found
    assert f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="5",{rest}}} 2' in found
    assert f"envoy_cluster_grpc_0{{{grpc_}}} 8" in found
    assert f"envoy_cluster_grpc_12{{{grpc_}}} 1" in found
    assert len(found) < 150
