"""Time as an argument: what the time is, and waiting for something no longer than so long."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits; tests put one here that does not really wait."""

    def now(self) -> datetime:
        """The present moment, with a time zone."""

    def wait_for(
        self,
        condition: threading.Condition,
        predicate: Callable[[], bool],
        timeout: timedelta | None,
    ) -> bool:
        """Wait on `condition`, which the caller holds; the predicate's last answer."""


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def wait_for(
        self,
        condition: threading.Condition,
        predicate: Callable[[], bool],
        timeout: timedelta | None,
    ) -> bool:
        return condition.wait_for(predicate, None if timeout is None else timeout.total_seconds())


SYSTEM_CLOCK = SystemClock()
