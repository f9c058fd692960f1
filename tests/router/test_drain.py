"""How a router ends: not ready, then drained, then gone in bounded time."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack

import aiohttp
import pytest

from router.relay import Relay
from router.running import (
    Load,
    eventually,
    free_port,
    grpc_load,
    rest_answers,
    rest_load,
    start_router,
    until_refused,
)


@pytest.fixture
async def routed(router, stable, ports):
    """A router with the model "m" and its one pod."""
    router.write_endpoints("m-stable", stable)
    router.write_record("m", ports, {"m-stable": 100})
    await router.until("m", "Programmed")
    return router


@pytest.fixture
async def second(tmp_path_factory, stable):
    """Another router with the model "m", and its ports."""
    found = (free_port(), free_port())
    router = await start_router(tmp_path_factory.mktemp("second"))
    router.write_endpoints("m-stable", stable)
    router.write_record("m", found, {"m-stable": 100})
    await router.until("m", "Programmed")
    yield found
    await router.end()


async def test_sigterm_lets_requests_in_flight_end(routed, ports):
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{ports[1]}/slow"
        in_flight = [asyncio.create_task(session.get(url)) for _ in range(4)]
        await asyncio.sleep(0.3)
        ending = asyncio.create_task(routed.end())
        answers = [await (await response).text() for response in in_flight]
        closed = [(await response).headers.get("connection") for response in in_flight]

    assert answers == ["m-stable"] * 4
    assert closed == ["close"] * 4
    assert await ending == 0


async def test_a_draining_router_is_not_ready_and_still_answers(routed, ports):
    async with aiohttp.ClientSession() as session:
        in_flight = asyncio.create_task(session.get(f"http://127.0.0.1:{ports[1]}/slow"))
        await asyncio.sleep(0.3)
        ending = asyncio.create_task(routed.end())
        await routed.until_not_ready()
        found = await rest_answers(ports[1], 8)
        await in_flight

    assert found == {"m-stable": 8}
    assert await ending == 0


async def test_no_request_is_lost_when_one_of_two_routers_ends(routed, second, ports):
    targets = list(ports)
    load = Load()
    async with AsyncExitStack() as relays, asyncio.TaskGroup() as clients:
        # As a Service: a router that is not ready gets no new connections.
        to_grpc = await relays.enter_async_context(Relay(lambda: targets[0]))
        to_rest = await relays.enter_async_context(Relay(lambda: targets[1]))
        for _ in range(2):
            clients.create_task(grpc_load(to_grpc.port, load))
            clients.create_task(rest_load(to_rest.port, load))
        await until_answered(load, 50)
        ending = asyncio.create_task(routed.end())
        await routed.until_not_ready()
        targets[:] = second
        code = await ending
        await until_answered(load, load.answers["m-stable"] + 50)
        load.ended = True

    assert load.failures == []
    assert code == 0


async def until_answered(load, count):
    async def is_so():
        return load.answers["m-stable"] >= count

    await eventually(is_so, f"{count} requests are answered")


async def test_a_client_that_never_leaves_cannot_hold_a_router_for_ever(routed, ports):
    with socket.create_connection(("127.0.0.1", ports[1])):
        ending = asyncio.create_task(routed.end())
        await until_refused(ports[1])
        code = await ending

    assert code == 0


async def test_a_request_that_takes_too_long_cannot_hold_a_router_for_ever(routed, ports):
    async with aiohttp.ClientSession() as session:
        asked = asyncio.create_task(session.get(f"http://127.0.0.1:{ports[1]}/stuck"))
        await asyncio.sleep(0.3)
        code = await routed.end()
        said = await asked

    assert (code, said.status) == (0, 504)
