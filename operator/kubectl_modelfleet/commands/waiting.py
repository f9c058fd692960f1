"""Waits until something has come about, and says what happens meanwhile."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from kubectl_modelfleet.cluster.following import Look, looks
from kubectl_modelfleet.cluster.objects import Subject
from kubectl_modelfleet.seen.deployment import Deployment, read_deployment
from kubectl_modelfleet.steering.standing import Outcome, Standing
from kubectl_modelfleet.tree.words import span


@dataclass(frozen=True)
class Patience:
    """`limit` None is without end."""

    waits: bool = False
    limit: timedelta | None = None


ONCE = Patience()


@dataclass(frozen=True)
class Watcher:
    """What is asked at each look, and who hears of it."""

    standing: Callable[[Deployment], Standing]
    on_look: Callable[[Look, Standing], None]
    with_pods: bool = False
    ends: bool = True


async def watched(subject: Subject, watcher: Watcher, limit: timedelta | None) -> Standing:
    """The standing at the end: not UNDER_WAY, unless the time is over.

    Raises:
        Failed: the object cannot be looked at.
    """
    standing = Standing(Outcome.UNDER_WAY, "nothing was seen")
    try:
        async with asyncio.timeout(limit.total_seconds() if limit else None) as timeout:
            async with aclosing(looks(subject, watcher.with_pods, complain)) as found:
                async for look in found:
                    standing = watcher.standing(read_deployment(look[0]))
                    watcher.on_look(look, standing)
                    if watcher.ends and standing.outcome is not Outcome.UNDER_WAY:
                        break
    except TimeoutError:
        if not timeout.expired() or limit is None:
            raise
        if standing.outcome is Outcome.UNDER_WAY:
            complain(f"{subject.name}: waited {span(limit)}: {standing.says}")
    return standing


def complain(text: str) -> None:
    """Words that are no output, for a person who reads along."""
    print(text, file=sys.stderr)
