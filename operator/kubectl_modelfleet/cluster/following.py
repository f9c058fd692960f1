"""Looks again whenever something changed, for as long as somebody wants to know."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

from kubectl_modelfleet.cluster.errors import Failed, Unreachable
from kubectl_modelfleet.cluster.objects import Subject
from kubectl_modelfleet.seen.fields import Object

# For what no event tells: a time that passes. And where there can be no watch.
_LOOK_SECONDS = 10.0
# Many events of one moment are one look.
_GATHER_SECONDS = 0.1
_FIRST_BACK_OFF = 0.25
_LONGEST_BACK_OFF = 8.0

# The object and its pods, None where they may not be listed.
Look = tuple[Object, tuple[Object, ...] | None]


async def looks(
    subject: Subject, with_pods: bool, on_trouble: Callable[[str], None]
) -> AsyncGenerator[Look]:
    """The object and its pods, at first and after each change; no pods if they are not wanted.

    While the API server does not answer, `on_trouble` hears why, once for each reason.

    Raises:
        Failed: the first look fails, or a later one for a reason that no time heals.
    """
    changed = asyncio.Event()
    body, pods = await _look(subject, with_pods)
    watches = [asyncio.create_task(_watch(subject.changes, changed))]
    if with_pods and pods is not None:
        watches.append(asyncio.create_task(_watch(subject.changes_of_pods, changed)))
    try:
        yield body, pods
        while True:
            await _until(changed, _LOOK_SECONDS)
            await asyncio.sleep(_GATHER_SECONDS)
            changed.clear()
            yield await _look_through(subject, with_pods, on_trouble)
    finally:
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)


async def _look(subject: Subject, with_pods: bool) -> Look:
    body = await subject.body()
    return body, await subject.pods() if with_pods else ()


async def _look_through(
    subject: Subject, with_pods: bool, on_trouble: Callable[[str], None]
) -> Look:
    """A look, as soon as the API server answers again."""
    back_off, said = _FIRST_BACK_OFF, ""
    while True:
        try:
            return await _look(subject, with_pods)
        except Unreachable as error:
            if str(error) != said:
                said = str(error)
                on_trouble(f"{said}; trying again")
        await asyncio.sleep(back_off)
        back_off = min(2 * back_off, _LONGEST_BACK_OFF)


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


async def _watch(events: Callable[[], AsyncIterator[None]], changed: asyncio.Event) -> None:
    """Sets the event for each change, for ever. While there is no watch, looks go on."""
    back_off = _FIRST_BACK_OFF
    while True:
        try:
            async for _ in events():
                changed.set()
                back_off = _FIRST_BACK_OFF
        except Failed:
            changed.set()
        await asyncio.sleep(back_off)
        back_off = min(2 * back_off, _LONGEST_BACK_OFF)
