"""One operator of several leads: who holds the Lease works, the others stand by."""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import aiohttp
from kubernetes.aio.client import ApiClient, V1Lease, V1ObjectMeta
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection.electionconfig import Config
from kubernetes.aio.leaderelection.leaderelection import LeaderElection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from model_operator.domain.errors import OperatorError
from model_operator.settings import LeaseName

logger = logging.getLogger(__name__)

T = TypeVar("T")

# A standby takes over 14 s after the last renewal it saw, looking every 2 s: at most 18 s. The
# leader has given up by then: it sleeps 2 s, tries for 6 s, the last try takes at most 3 s
# (two requests), and sleeps 2 s.
_LEASE_SECONDS = 14
_RENEW_WITHIN_SECONDS = 6
_RETRY_SECONDS = 2
_REQUEST_SECONDS = 1.5
_FAILURES = (ApiException, aiohttp.ClientError, TimeoutError, OSError)


class LeaseTaken(OperatorError):
    """Another process holds the lease that this one led by."""


@asynccontextmanager
async def leading(
    api: ApiClient, lease: LeaseName | None, stop: asyncio.Event, lost: Callable[[str], None]
) -> AsyncIterator[bool]:
    """Begins when this process leads, or is told to end by `stop`; yields which of both it is.

    `lost` is called with a reason when another process may lead: all work must end then. Without
    a lease the process leads at once. The lease is free again when the block ends.
    """
    if lease is None:
        yield True
        return
    leadership = Leadership(api, lease)
    keeping = asyncio.create_task(leadership.keep())
    told = asyncio.create_task(stop.wait())
    won = asyncio.create_task(leadership.won.wait())
    logger.info("waits for the lease %s/%s", lease.namespace, lease.name)
    try:
        await asyncio.wait({keeping, told, won}, return_when=asyncio.FIRST_COMPLETED)
        keeping.add_done_callback(partial(_report_end, lost))
        yield leadership.won.is_set() and not stop.is_set()
    finally:
        for task in (keeping, told, won):
            task.cancel()
        await asyncio.gather(keeping, told, won, return_exceptions=True)
        await leadership.release()


def _report_end(lost: Callable[[str], None], keeping: asyncio.Task[None]) -> None:
    if keeping.cancelled():
        return
    error = keeping.exception()
    lost(f"the lease was lost: {error}" if error else "the lease was lost")


class Leadership:
    """This process's part in the election. `won` is set while it leads."""

    def __init__(self, api: ApiClient, lease: LeaseName) -> None:
        self.won = asyncio.Event()
        self.identity = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._lock = _Lease(lease.name, lease.namespace, self.identity, api)
        # The library reports failures with their traces; here each is one line.
        logging.getLogger("kubernetes.aio.leaderelection").setLevel(logging.CRITICAL)

    async def keep(self) -> None:
        """Wait for the lease, then renew it; returns when it was won and is lost."""
        election = LeaderElection(
            Config(
                self._lock,
                lease_duration=_LEASE_SECONDS,
                renew_deadline=_RENEW_WITHIN_SECONDS,
                retry_period=_RETRY_SECONDS,
                onstarted_leading=self._start,
                onstopped_leading=self._stop,
            )
        )
        await election.run()

    async def release(self) -> None:
        """Leave the lease to the others at once, if it is held; call it when all work has ended."""
        if not self.won.is_set():
            return
        self.won.clear()
        await self._lock.give_back()

    async def _start(self) -> None:
        self._lock.is_held = True
        self.won.set()

    async def _stop(self) -> None:
        self.won.clear()


class _Lease(LeaseLock):  # type: ignore[misc]
    """The library's lock; a request that hangs or finds no server has failed, and no more."""

    is_held = False

    async def get(self, name: str, namespace: str) -> tuple[bool, Any]:
        try:
            found, record = await _soon(super().get(name, namespace))
        except _FAILURES as error:
            return False, _failed("read", error)
        if not found and record.status != 404:
            _failed("read", record)
        if found and self.is_held and record.holder_identity != self.identity:
            # The library would try for some seconds more, while two lead.
            raise LeaseTaken(f"{record.holder_identity or 'nobody'} holds it now")
        return found, record

    async def create(self, name: str, namespace: str, election_record: Any) -> bool:
        # The library's own create() passes `pretty=True`, which its client refuses (37.0.2).
        body = V1Lease(metadata=V1ObjectMeta(name=name), spec=self.update_lease(election_record))
        return await _done("made", self.api_instance.create_namespaced_lease(namespace, body))

    async def update(self, name: str, namespace: str, updated_record: Any) -> bool:
        return await _done("written", super().update(name, namespace, updated_record))

    async def give_back(self) -> None:
        """Write that nobody holds the lease; a failure costs the others the wait for its end."""
        try:
            lease = await _soon(self.api_instance.read_namespaced_lease(self.name, self.namespace))
            if lease.spec.holder_identity != self.identity:
                return
            lease.spec.holder_identity = None
            await _soon(
                self.api_instance.replace_namespaced_lease(self.name, self.namespace, lease)
            )
        except _FAILURES as error:
            _failed("given back", error)


async def _done(verb: str, writing: Awaitable[Any]) -> bool:
    try:
        if await _soon(writing):
            return True
    except _FAILURES as error:
        _failed(verb, error)
        return False
    logger.warning("the lease could not be %s; another operator may have been faster", verb)
    return False


async def _soon(request: Awaitable[T]) -> T:
    async with asyncio.timeout(_REQUEST_SECONDS):
        return await request


def _failed(verb: str, error: Exception) -> ApiException:
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    logger.warning("the lease could not be %s: %s", verb, reason)
    return ApiException(status=0, reason=reason)
