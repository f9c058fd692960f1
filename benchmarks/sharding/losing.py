"""A group that loses a member: alone, and beside another group behind a real router."""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc.aio

from benchmarks.sharding.groups import Group, Member, wait_for
from benchmarks.sharding.questions import METHOD, Questions, answer_of
from router.running import RunningRouter, free_port, start_router, write

_REVISION = "measured-a"
_CLIENTS = 4
# What Envoy says of a connection that ended while it waited for the answer.
_TERMINATED = "reset reason: connection termination"
_CUT_OFF = "cut off"
# Before the loss, and after the group is whole again.
_CALM = 1.0
# How often a kubelet asks here whether a pod is ready.
_PROBE = 1.0
_Answers = Mapping[bytes, Mapping[str, bytes]]


@dataclass(frozen=True)
class Back:
    """Seconds from a member's new start until it has its rows, and then until all are ready."""

    restore: float
    after: float


def lose_and_restore(group: Group) -> Back:
    """Kill the last member, wait until the first one knows, and start it again."""
    first, last = group.members[0], group.members[-1]
    last.kill()
    wait_for(first, {"GroupNotWhole"})
    began = time.monotonic()
    last.start_again()
    wait_for(last, {"GroupNotWhole", "Available"})
    restored = time.monotonic()
    group.wait_until_ready()
    return Back(restored - began, time.monotonic() - restored)


@dataclass(frozen=True)
class Lost:
    """What clients of two groups got while one lost a member and got it back.

    `cut_off` requests were with the member itself when it was killed: nobody knows how far it came.
    The others that failed are counted by what was said.
    """

    right: int
    wrong: int
    cut_off: int
    failed: Mapping[str, int]


async def lose_behind_router(groups: Sequence[Group], questions: Questions) -> Lost:
    """Ask all the time through the router; the first group loses its last member meanwhile."""
    members = [member for group in groups for member in group.members]
    expected = await _expected(members[-1], questions)
    with tempfile.TemporaryDirectory() as folder:
        router = await start_router(Path(folder))
        ports = (free_port(), free_port())
        router.write_record("measured", ports, {_REVISION: 100})
        counts: Counter[str] = Counter()
        ended = asyncio.Event()
        probes = asyncio.create_task(_probe(router, members))
        await router.until("measured", "Programmed")
        clients = [
            asyncio.create_task(_client(ports[0], expected, counts, ended)) for _ in range(_CLIENTS)
        ]
        await asyncio.sleep(_CALM)
        await asyncio.to_thread(lose_and_restore, groups[0])
        await asyncio.sleep(_CALM + _PROBE)
        ended.set()
        await asyncio.gather(*clients)
        probes.cancel()
        await router.end()
    known = [counts.pop(what, 0) for what in ("right", "wrong", _CUT_OFF)]
    return Lost(*known, dict(counts))


async def _expected(member: Member, questions: Questions) -> _Answers:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{member.grpc_port}") as channel:
        call = channel.unary_unary(METHOD)
        return {request: answer_of(await call(request)) for request in questions.requests}


async def _client(
    port: int, expected: _Answers, counts: Counter[str], ended: asyncio.Event
) -> None:
    # Nothing is sent again but by the router.
    no_retries = [("grpc.enable_retries", 0)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", no_retries) as channel:
        call = channel.unary_unary(METHOD)
        while not ended.is_set():
            for request, answer in expected.items():
                try:
                    found = answer_of(await call(request, timeout=5))
                except grpc.aio.AioRpcError as error:
                    said = f"{error.code().name}: {error.details()}"
                    counts[_CUT_OFF if said.endswith(_TERMINATED) else said] += 1
                    continue
                counts["right" if found == answer else "wrong"] += 1


async def _probe(router: RunningRouter, members: Sequence[Member]) -> None:
    """Do what kubelets and the controller of EndpointSlices do: write down who is ready."""
    known: list[dict[str, object]] = []
    while True:
        reasons = await asyncio.gather(*(asyncio.to_thread(each.reason) for each in members))
        ready = [
            {"address": "127.0.0.1", "grpcPort": each.grpc_port, "restPort": each.rest_port}
            for each, reason in zip(members, reasons, strict=True)
            if reason == "Available"
        ]
        if ready != known:
            document = {"schema": 1, "revision": _REVISION, "endpoints": ready}
            write(router.folder / "endpoints" / f"{_REVISION}.json", document)
            known = ready
        await asyncio.sleep(_PROBE)
