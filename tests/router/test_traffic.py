"""Where requests go through a real Envoy, while records and pods change."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket

import aiohttp
import grpc.aio
import pytest

from router.backends import METHOD, Backend
from router.running import (
    Load,
    free_port,
    grpc_answers,
    grpc_load,
    rest_answers,
    rest_load,
    start_router,
    until_all_answers_come_from,
    until_answers_come_from,
    until_refused,
    write_endpoints,
)


@pytest.fixture
async def routed(router, stable, candidate, ports):
    """A router with the model "m": all requests to m-stable, m-candidate has its pod as well."""
    router.write_endpoints("m-stable", stable)
    router.write_endpoints("m-candidate", candidate)
    router.write_record("m", ports, {"m-stable": 100, "m-candidate": 0})
    await router.until("m", "Programmed")
    return router


@pytest.mark.parametrize("answers", [grpc_answers, rest_answers], ids=["one gRPC channel", "REST"])
async def test_requests_are_split_by_the_weights(routed, ports, answers):
    routed.write_record("m", ports, {"m-stable": 90, "m-candidate": 10})
    await routed.until("m", "Programmed", "10 % m-candidate")

    found = await answers(ports[answers is rest_answers], 5000)

    # By chance alone, ±2 points are left in 1 of 400,000 runs.
    assert found["m-candidate"] / 5000 == pytest.approx(0.10, abs=0.02)
    assert found["m-stable"] == 5000 - found["m-candidate"]


@pytest.mark.parametrize("answers", [grpc_answers, rest_answers], ids=["gRPC", "REST"])
async def test_what_a_group_without_a_member_cannot_answer_another_does(
    routed, ports, stable, answers
):
    async with Backend("lost", lost=True) as one, Backend("lost", lost=True) as other:
        routed.write_endpoints("m-stable", stable, one, other)
        found = await answers(ports[answers is rest_answers], 200)

    assert found == {"m-stable": 200}


async def test_no_request_is_lost_while_weights_and_revisions_change(routed, ports, candidate):
    load = Load()
    async with Backend("m-third") as third, asyncio.TaskGroup() as clients:
        for _ in range(2):
            clients.create_task(rest_load(ports[1], load))
            clients.create_task(grpc_load(ports[0], load))
        routed.write_endpoints("m-third", third)
        for weight in (5, 50, 95, 0, 100):
            routed.write_record("m", ports, {"m-stable": 100 - weight, "m-candidate": weight})
            await routed.until("m", "Programmed", f"{weight} % m-candidate")
        routed.write_record("m", ports, {"m-candidate": 0, "m-third": 100})
        await routed.until("m", "Programmed", "100 % m-third")
        followed = await rest_answers(ports[1], 400) + await grpc_answers(ports[0], 400)
        load.ended = True

    assert load.failures == []
    assert set(load.answers) == {"m-stable", "m-candidate", "m-third"}
    assert followed == {"m-third": 800}


async def test_no_request_is_lost_when_a_pod_comes_and_another_leaves(routed, ports, stable):
    load = Load()
    async with Backend("m-new-pod") as new, asyncio.TaskGroup() as clients:
        clients.create_task(rest_load(ports[1], load))
        clients.create_task(grpc_load(ports[0], load))
        routed.write_endpoints("m-stable", stable, new)
        await until_answers_come_from("m-new-pod", ports[1])
        routed.write_endpoints("m-stable", new)
        await until_all_answers_come_from("m-new-pod", ports[1])
        load.ended = True

    assert load.failures == []
    assert set(load.answers) == {"m-stable", "m-new-pod"}


async def test_weight_waits_for_the_pods_of_a_revision(routed, ports):
    routed.write_record("m", ports, {"m-stable": 0, "m-later": 100})
    waiting = await routed.until("m", "WaitingForPods")
    before = await rest_answers(ports[1], 80)
    async with Backend("m-later") as later:
        routed.write_endpoints("m-later", later)
        await routed.until("m", "Programmed", "100 % m-later")
        after = await rest_answers(ports[1], 80)

    assert waiting["message"] == (
        "split: 100 % for m-later, which has no ready pods; the split before stays"
    )
    assert (before, after) == ({"m-stable": 80}, {"m-later": 80})


async def test_a_bad_record_touches_no_other_model_and_leaves_its_own_as_it_was(routed, ports):
    other = (free_port(), free_port())
    (routed.folder / "records" / "m.json").write_text('{"schema": 2}')
    (routed.folder / "records" / "never-good.json").write_text("{")
    routed.write_record("other", other, {"m-candidate": 100})
    await routed.until("other", "Programmed")
    bad = await routed.until("m", "InvalidRecord", "schema: is 2, this router reads 1")
    never_good = await routed.until("never-good", "InvalidRecord", "document: not JSON")

    assert (bad["ready"], never_good["ready"]) == (True, False)
    assert (await routed.health())[0] == 200
    assert await rest_answers(ports[1], 80) == {"m-stable": 80}
    assert await rest_answers(other[1], 80) == {"m-candidate": 80}


async def test_a_model_cannot_take_the_port_of_another(routed, ports):
    routed.write_record("a-thief", ports, {"m-candidate": 100})

    refused = await routed.until("a-thief", "InvalidRecord")

    assert refused["message"] == f"ports: {ports[0]} belongs to m"
    assert await rest_answers(ports[1], 80) == {"m-stable": 80}


async def test_what_envoy_rejects_leaves_the_record_before_in_force(routed, ports):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        moved = (ports[0], taken.getsockname()[1])
        routed.write_record("m", moved, {"m-stable": 100})
        refused = await routed.until("m", "Refused")
        after_refusal = await rest_answers(ports[1], 80)
        async with Backend("m-replaced") as replaced:
            # Pods still come and go for the record that stays.
            routed.write_endpoints("m-stable", replaced)
            await until_all_answers_come_from("m-replaced", ports[1])

    assert "Address already in use" in str(refused["message"])
    assert refused["ready"] is True
    assert after_refusal == {"m-stable": 80}


async def test_a_model_moves_to_another_port(routed, ports):
    moved = (free_port(), free_port())
    routed.write_record("m", moved, {"m-stable": 0, "m-candidate": 100})
    await routed.until("m", "Programmed", "100 % m-candidate")

    assert await rest_answers(moved[1], 80) == {"m-candidate": 80}
    assert await grpc_answers(moved[0], 80) == {"m-candidate": 80}
    await until_refused(ports[1])


async def test_without_pods_the_answer_is_an_error_at_once(router, ports):
    router.write_record("m", ports, {"m-stable": 100})
    await router.until("m", "Programmed")

    assert await rest_answers(ports[1], 8) == {"503 no healthy upstream": 8}
    assert await grpc_answers(ports[0], 8) == {"UNAVAILABLE": 8}


async def test_a_removed_record_closes_its_ports(routed, ports):
    (routed.folder / "records" / "m.json").unlink()

    await until_refused(ports[0])
    await until_refused(ports[1])
    assert (await routed.status("m"))["reason"] == "Removed"


async def test_a_large_body_reaches_the_pod(routed, ports):
    body = io.BytesIO(b"x" * (20 << 20))

    async with (
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{ports[1]}/", data=body) as response,
    ):
        assert (response.status, await response.text()) == (200, "m-stable")


async def test_an_envoy_that_was_killed_is_replaced_with_the_same_routes(routed, ports):
    killed = routed.envoy_pid()

    os.kill(killed, signal.SIGKILL)
    await routed.until_another_envoy(killed)

    async with grpc.aio.insecure_channel(f"127.0.0.1:{ports[0]}") as channel:
        assert await channel.unary_unary(METHOD)(b"", wait_for_ready=True) == b"m-stable"


async def test_a_router_that_starts_serves_what_is_on_disk(tmp_path, stable, routed, ports):
    await routed.end()
    write_endpoints(tmp_path, "m-stable", stable)

    again = await start_router(tmp_path)
    await again.until("m", "Programmed")
    found = await rest_answers(ports[1], 80)
    code = await again.end()

    assert (found, code) == ({"m-stable": 80}, 0)
