"""Real small HTTP and gRPC servers that answer with the name of their revision."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import grpc.aio
from aiohttp import web

METHOD = "/test.Echo/Name"
STUCK = "/test.Echo/Stuck"
REMAINING = "/test.Echo/Remaining"
# What a member of a group says for which another does not answer.
ELSEWHERE = ("x-modelfleet-retry", "elsewhere")


@dataclass
class Backend:
    """One pod of a revision, which counts the REST requests that reach it by their path.

    /slow is answered after a second, /stuck and Stuck not before its end, /error with 500; /reset
    ends the connection instead; a pod that is well answers them all. Remaining tells the seconds
    that are left for the call. One that is lost is of a group that cannot answer.
    """

    revision: str
    grpc_port: int = 0
    rest_port: int = 0
    well: bool = False
    lost: bool = False
    requests: Counter[str] = field(default_factory=Counter)

    @property
    def endpoint(self) -> dict[str, object]:
        """The pod as an entry of an endpoints document."""
        return {"address": "127.0.0.1", "grpcPort": self.grpc_port, "restPort": self.rest_port}

    async def __aenter__(self) -> Backend:
        self._ending = asyncio.Event()
        await self._start_grpc()
        await self._start_rest()
        return self

    async def _start_grpc(self) -> None:
        name = self.revision.encode()

        async def name_itself(request: bytes, context: Any) -> bytes:
            if self.lost:
                context.set_trailing_metadata((ELSEWHERE,))
                await context.abort(grpc.StatusCode.UNAVAILABLE, "member 1 is lost")
            return name

        async def be_stuck(request: bytes, context: object) -> bytes:
            await self._ending.wait()
            return name

        async def tell_remaining(request: bytes, context: Any) -> bytes:
            return str(context.time_remaining()).encode()

        answers = {"Name": name_itself, "Stuck": be_stuck, "Remaining": tell_remaining}
        handlers = {
            method: grpc.unary_unary_rpc_method_handler(answer)
            for method, answer in answers.items()
        }
        self._grpc = grpc.aio.server()
        self._grpc.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler("test.Echo", handlers),)
        )
        self.grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        await self._grpc.start()

    async def _start_rest(self) -> None:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._answer_rest)
        # Quiet, and longer than the router keeps idle connections.
        self._rest = web.AppRunner(app, access_log=None, keepalive_timeout=60)
        await self._rest.setup()
        site = web.TCPSite(self._rest, "127.0.0.1", 0)
        await site.start()
        self.rest_port = self._rest.addresses[0][1]

    async def _answer_rest(self, request: web.Request) -> web.Response:
        name = self.revision.encode()
        self.requests[request.path] += 1
        await request.read()
        if self.lost:
            return web.Response(status=503, headers=[ELSEWHERE])
        match "/" if self.well else request.path:
            case "/slow":
                await asyncio.sleep(1)
            case "/stuck":
                await self._ending.wait()
            case "/error":
                return web.Response(status=500, body=name)
            case "/reset":
                assert request.transport is not None
                request.transport.abort()
        # What it says of itself there is not to be believed.
        return web.Response(body=name, headers={"x-modelfleet-revision": "somebody-else"})

    async def __aexit__(self, *error: object) -> None:
        self._ending.set()
        await self._grpc.stop(None)
        await self._rest.cleanup()
