"""What a router tells the operator of the weights that Envoy holds to."""

from __future__ import annotations

import aiohttp
import pytest

from model_operator.cluster.readiness import Readiness
from model_operator.cluster.routers import Routers
from model_operator.domain.seen.pods import Pod


@pytest.fixture
def told(router):
    """Asks as the operator does, with the router as the only pod, or one of more."""
    pod = Pod("router-1", "", "127.0.0.1", is_running=True, is_ready=True, trouble=None)

    async def ask(*others):
        async with aiohttp.ClientSession() as session:
            pods = (pod, *others)
            return await Routers(Readiness(session), router.health_port).programmed("m", pods)

    return ask


async def test_nothing_before_there_is_a_record(router, told):
    await router.until_answering()

    assert await told() is None


async def test_the_weights_in_force(router, stable, candidate, ports, told):
    router.write_endpoints("m-stable", stable)
    router.write_endpoints("m-candidate", candidate)
    router.write_record("m", ports, {"m-stable": 90, "m-candidate": 10})
    await router.until("m", "Programmed")

    assert await told() == {"m-stable": 90, "m-candidate": 10}


async def test_those_before_while_the_newest_wait_for_pods(router, stable, ports, told):
    router.write_endpoints("m-stable", stable)
    router.write_record("m", ports, {"m-stable": 100})
    await router.until("m", "Programmed")
    router.write_record("m", ports, {"m-stable": 50, "m-candidate": 50})
    await router.until("m", "WaitingForPods")

    assert await told() == {"m-stable": 100}


async def test_nothing_while_another_router_is_silent(router, stable, ports, told):
    router.write_endpoints("m-stable", stable)
    router.write_record("m", ports, {"m-stable": 100})
    await router.until("m", "Programmed")
    # The router listens on IPv4 alone.
    silent = Pod("router-2", "", "::1", is_running=True, is_ready=True, trouble=None)

    assert await told(silent) is None
