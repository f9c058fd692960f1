"""Follows all objects of one kind in one namespace: a list, then a watch, again and again.

Protocol: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from kubernetes.aio.client import ApiClient

_log = logging.getLogger(__name__)
Object = Mapping[str, Any]

# A connection that died without a word is noticed when the watch should have ended.
_WATCH_SECONDS = 60
_GRACE_SECONDS = 15
_LIST_SECONDS = 30
_FIRST_BACK_OFF = 0.2
_LONGEST_BACK_OFF = 10.0
# An object has 1 MiB at most, and JSON makes a control character six bytes long.
_LONGEST_LINE = 16 << 20


class Failed(Exception):
    """The API server could not be asked, or refused."""


class Expired(Exception):
    """The watch's place in history is gone: everything must be listed again."""


class Sink(Protocol):
    """Who wants to know the objects."""

    def replace(self, objects: Sequence[Object]) -> None:
        """These are all objects there are."""

    def put(self, found: Object) -> None:
        """This object is new or has changed."""

    def remove(self, gone: Object) -> None:
        """This object is there no longer."""


@dataclass(frozen=True)
class Objects:
    """Which objects: the path of their list, and the labels they have."""

    path: str
    selector: str


class Reflector:
    """Tells its sink of every object; while the API server is away the sink hears nothing."""

    def __init__(self, api: ApiClient, objects: Objects, sink: Sink) -> None:
        self._api = api
        self._objects = objects
        self._sink = sink
        self._said = ""

    async def run(self) -> None:
        """Follow for ever."""
        back_off = _FIRST_BACK_OFF
        version: str | None = None
        while True:
            try:
                version = version or await self._list()
                back_off = _FIRST_BACK_OFF
                self._say("")
                version = await self._watch(version)
            except Expired:
                version = None
            except Failed as error:
                self._say(str(error))
                back_off = min(2 * back_off, _LONGEST_BACK_OFF)
            except Exception:
                # Whatever came, the models that are routed go on.
                _log.exception("%s: cannot be followed; listing again", self._objects.path)
                version = None
                back_off = min(2 * back_off, _LONGEST_BACK_OFF)
            # Not all routers at the same moment, after an outage that all have seen.
            await asyncio.sleep(back_off * random.uniform(0.25, 0.5))

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._said:
            _log.error("the last known state serves: %s", trouble)
        elif self._said and not trouble:
            _log.info("following %s again", self._objects.path)
        self._said = trouble

    async def _list(self) -> str:
        """Hand all objects to the sink; the version of the list."""
        timeout = aiohttp.ClientTimeout(total=_LIST_SECONDS)
        response = await self._get({}, timeout)
        try:
            found = json.loads(await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise Failed(self._sentence(error)) from error
        finally:
            response.release()
        self._sink.replace(found["items"])
        return str(found["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> str:
        """Hand changes on until the watch ends; the version to go on from."""
        wanted = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        timeout = aiohttp.ClientTimeout(total=_WATCH_SECONDS + _GRACE_SECONDS)
        response = await self._get(wanted, timeout)
        try:
            async for line in _lines(response.content):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    raise Expired(str(event["object"].get("message")))
                version = event["object"]["metadata"]["resourceVersion"]
                self._hand_on(event["type"], event["object"])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # What was missed is sent by the next watch, which goes on from the same version.
            _log.info("%s: the watch broke: %s", self._objects.path, self._sentence(error))
        finally:
            response.close()
        return version

    def _hand_on(self, kind: str, found: Object) -> None:
        if kind in ("ADDED", "MODIFIED"):
            self._sink.put(found)
        elif kind == "DELETED":
            self._sink.remove(found)

    async def _get(self, query: Mapping[str, str], timeout: aiohttp.ClientTimeout) -> Any:
        parameters = [("labelSelector", self._objects.selector), *query.items()]
        try:
            prepared = await self._api.param_serialize(
                "GET",
                self._objects.path,
                query_params=parameters,
                header_params={"Accept": "application/json"},
                auth_settings=["BearerToken"],
            )
            answer = await self._api.call_api(*prepared, _request_timeout=timeout)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Failed(self._sentence(error)) from error
        response = answer.response
        if response.status == 410:
            response.release()
            raise Expired("410 Gone")
        if response.status != 200:
            said = (await response.content.read(500)).decode(errors="replace")
            response.close()
            raise Failed(f"GET {self._objects.path}: HTTP {response.status} {said}")
        return response

    def _sentence(self, error: Exception) -> str:
        return f"GET {self._objects.path}: {str(error) or type(error).__name__}"


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length up to a bound; the reader's own would stop at a large object."""
    unfinished = bytearray()
    async for chunk in content.iter_any():
        unfinished += chunk
        *lines, rest = bytes(unfinished).split(b"\n") if b"\n" in chunk else (bytes(unfinished),)
        for line in lines:
            yield line
        unfinished = bytearray(rest)
        if len(unfinished) > _LONGEST_LINE:
            raise ValueError(f"an event of more than {_LONGEST_LINE} bytes")
