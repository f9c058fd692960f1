"""A loader, a clock and a file system that tests can steer."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from model_server.core.loader import Resources


class FakeServable:
    """Something that was loaded; `is_loaded` becomes false at its unload."""

    def __init__(self, content: str) -> None:
        self.content = content
        self.is_loaded = True


class FakeLoader:
    """Loads at once unless `gate` is closed; fails with each of `failures` first."""

    def __init__(
        self,
        content: str = "",
        failures: tuple[BaseException, ...] = (),
        resources: Resources = Resources(),  # noqa: B008 - it is frozen
        gate: threading.Event | None = None,
    ) -> None:
        self.content = content
        self.failures = list(failures)
        self.resources = resources
        self.gate = gate
        self.loads = 0
        self.unloads = 0
        self.begun = threading.Event()

    def estimate(self) -> Resources:
        return self.resources

    def load(self) -> FakeServable:
        self.loads += 1
        self.begun.set()
        if self.gate is not None and not self.gate.wait(180):
            raise TimeoutError("the test never opened the gate")
        if self.failures:
            raise self.failures.pop(0)
        return FakeServable(self.content)

    def unload(self, servable: FakeServable) -> None:
        self.unloads += 1
        servable.is_loaded = False


class FakeClock:
    """Time that passes by waiting: a wait with a timeout takes no time, and is written down."""

    def __init__(self) -> None:
        self.moment = datetime(2030, 1, 1, tzinfo=UTC)
        self.waits: list[timedelta] = []
        self.during_wait: Callable[[], None] = lambda: None

    def now(self) -> datetime:
        return self.moment

    def wait_for(
        self,
        condition: threading.Condition,
        predicate: Callable[[], bool],
        timeout: timedelta | None,
    ) -> bool:
        if timeout is None:
            if not condition.wait_for(predicate, 10):
                raise AssertionError("waited in vain")
            return True
        if predicate():
            return True
        self.waits.append(timeout)
        self.moment += timeout
        self.during_wait()
        return predicate()


class FakeFiles:
    """A file system of a few folders; a folder that is an exception fails when it is listed."""

    def __init__(self, folders: Mapping[str, list[str] | OSError]) -> None:
        self.folders = dict(folders)
        self.during_listing: Callable[[], None] = lambda: None

    def children(self, path: str) -> list[str]:
        self.during_listing()
        content = self.folders.get(path, FileNotFoundError(path))
        if isinstance(content, OSError):
            raise content
        return content
