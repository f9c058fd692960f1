"""What others ask of the operator's process over HTTP: health, readiness, metrics."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest


@asynccontextmanager
async def serving(
    registry: CollectorRegistry, is_ready: Callable[[], bool], port: int
) -> AsyncIterator[int]:
    """Answer on /healthz, /readyz and /metrics; yields the port, a free one if `port` is 0."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if is_ready():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the watches have not begun\n")

    async def metrics(_: web.Request) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        # With a thousand ModelDeployments this takes a second, in which passes go on.
        body = await asyncio.to_thread(generate_latest, registry)
        return web.Response(body=body, headers=headers)

    application = web.Application()
    application.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", metrics),
        ]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    listening = _listen(port)
    await web.SockSite(runner, listening).start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        await runner.cleanup()


def _listen(port: int) -> socket.socket:
    """One socket for both kinds of addresses: kubelets of IPv6 clusters come by theirs."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
