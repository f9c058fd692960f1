"""Single requests to the API server, and what its refusals mean."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp

from kubectl_modelfleet.cluster.connection import Access
from kubectl_modelfleet.cluster.errors import Failed, Forbidden, NotThere, Unreachable
from kubectl_modelfleet.seen.fields import Object, at, text

_SECONDS = 30
_MERGE_PATCH = "application/merge-patch+json"
# The server ends a watch after this time; a connection that died is noticed a little later.
_WATCH_SECONDS = 240
_GRACE_SECONDS = 15


class Requests:
    """GET, PATCH and watches, by path."""

    def __init__(self, access: Access) -> None:
        self._api = access.api
        self._renew = access.renew

    async def read(self, path: str, **query: str) -> Object:
        """The document at the path.

        Raises:
            Failed: one of its kinds, see `cluster.errors`.
        """
        response = await self._send("GET", path, query, None, _SECONDS)
        return await _document(path, response)

    async def patch(self, path: str, body: Object) -> Object:
        """The document after the merge patch.

        Raises:
            Failed: one of its kinds, see `cluster.errors`.
        """
        response = await self._send("PATCH", path, {}, body, _SECONDS)
        return await _document(path, response)

    async def events(self, path: str, **query: str) -> AsyncIterator[None]:
        """One item or more for what there is and for each change, until the server ends it.

        Raises:
            Failed: one of its kinds, see `cluster.errors`.
        """
        # From version 0 on: nothing is missed between a look and the watch, or between two.
        query |= {"watch": "true", "resourceVersion": "0"}
        query["timeoutSeconds"] = str(_WATCH_SECONDS)
        response = await self._send("GET", path, query, None, _WATCH_SECONDS + _GRACE_SECONDS)
        try:
            async for _ in response.content.iter_any():
                yield
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"the watch broke: {_words(error)}") from error
        finally:
            response.close()

    async def _send(
        self, method: str, path: str, query: Mapping[str, str], body: Any, seconds: float
    ) -> aiohttp.ClientResponse:
        """A good answer, if need be after another login: a live view outlives its first token."""
        response = await self._sent(method, path, query, body, seconds)
        if response.status == HTTPStatus.UNAUTHORIZED:
            response.close()
            await self._renew()
            response = await self._sent(method, path, query, body, seconds)
        if response.status < 300:
            return response
        raise refusal(response.status, await _said(response))

    async def _sent(
        self, method: str, path: str, query: Mapping[str, str], body: Any, seconds: float
    ) -> aiohttp.ClientResponse:
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = _MERGE_PATCH
        try:
            prepared = await self._api.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            timeout = aiohttp.ClientTimeout(total=seconds)
            answer = await self._api.call_api(*prepared, _request_timeout=timeout)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            hint = "look at the server that kubectl config view --minify names"
            raise Unreachable(f"the API server does not answer: {_words(error)}", hint) from error
        found: aiohttp.ClientResponse = answer.response
        return found


async def _document(path: str, response: aiohttp.ClientResponse) -> Object:
    try:
        found = json.loads(await response.read())
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise Unreachable(f"{path}: no whole answer: {_words(error)}") from error
    finally:
        response.release()
    if not isinstance(found, dict):
        raise Failed(f"{path}: the answer is no object; is this the URL of an API server?")
    return found


async def _said(response: aiohttp.ClientResponse) -> str:
    try:
        return (await response.content.read(1 << 16)).decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError):
        return ""
    finally:
        response.close()


def refusal(status: int, body: str) -> Failed:
    """The kind of failure that an HTTP status and the text with it tell of."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    says = text(at(told, "message")) or text(body)[:300] or f"HTTP {status}"
    match status:
        case 401:
            return Failed(says, "log in again, or choose another --context")
        case 403:
            return Forbidden(says)
        case 404:
            # Without a Status the path itself is unknown: no such kind is served.
            return NotThere(says, knows_kind=text(at(told, "details", "name")) != "")
        case 429 | 500 | 502 | 503 | 504:
            return Unreachable(f"the API server cannot answer now: {says}")
        case _:
            return Failed(f"the API server refuses (HTTP {status}): {says}")


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
