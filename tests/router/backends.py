"""Real small HTTP and gRPC servers that answer with the name of their revision."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import grpc.aio
from aiohttp import web

METHOD = "/test.Echo/Name"


@dataclass
class Backend:
    """One pod of a revision; "slow" in a request's path makes it answer after a second."""

    revision: str
    grpc_port: int = 0
    rest_port: int = 0

    @property
    def endpoint(self) -> dict[str, object]:
        """The pod as an entry of an endpoints document."""
        return {"address": "127.0.0.1", "grpcPort": self.grpc_port, "restPort": self.rest_port}

    async def __aenter__(self) -> Backend:
        name = self.revision.encode()

        async def answer_grpc(request: bytes, context: object) -> bytes:
            return name

        async def answer_rest(request: web.Request) -> web.Response:
            if "slow" in request.path:
                await asyncio.sleep(1)
            await request.read()
            return web.Response(body=name)

        handler = grpc.unary_unary_rpc_method_handler(answer_grpc)
        self._grpc = grpc.aio.server()
        self._grpc.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Echo", {"Name": handler}),)
        )
        self.grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        await self._grpc.start()
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", answer_rest)
        # Quiet, and longer than the router keeps idle connections.
        self._rest = web.AppRunner(app, access_log=None, keepalive_timeout=60)
        await self._rest.setup()
        site = web.TCPSite(self._rest, "127.0.0.1", 0)
        await site.start()
        self.rest_port = self._rest.addresses[0][1]
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._grpc.stop(None)
        await self._rest.cleanup()
