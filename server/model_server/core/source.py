"""Watches base paths for version folders and says which versions are aspired."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from model_server.core.clock import Clock, SystemClock
from model_server.core.version_policy import Latest, VersionPolicy

Emit = Callable[[str, Mapping[int, str]], None]
"""Takes a stream's name and its aspired versions {version: path}; {} means unload everything."""


class FileSystem(Protocol):
    """As much of a file system as the source needs; both may raise any Exception."""

    def exists(self, path: str) -> bool: ...

    def children(self, path: str) -> Iterable[str]:
        """Names in a folder. Object stores may add a trailing "/" or name deeper descendants."""


@dataclass(frozen=True, slots=True)
class WatchedStream:
    """A servable stream in storage."""

    name: str
    base_path: str
    policy: VersionPolicy = dataclasses.field(default_factory=Latest)


@dataclass(frozen=True, slots=True)
class Finding:
    """What the newest poll saw of one stream; for telling people why a model is not there.

    `error` is a sentence if the base path could not be read; then `found` is empty, and what was
    aspired before stays aspired. `missing_base_path` tells absence from another failure.
    """

    found: frozenset[int] = frozenset()
    aspired: frozenset[int] = frozenset()
    missing_base_path: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How to poll.

    poll_interval: 0 polls once (again when the streams change), negative never polls.
    versions_always_present: never let a stream's aspired versions become none because its folder
        has become empty.
    """

    poll_interval: timedelta = timedelta(seconds=1)
    versions_always_present: bool = False


class FileSystemSource:
    """Polls the base paths of streams and emits each stream's aspired versions at every poll.

    Each stream is polled and emitted on its own: a base path that is missing or cannot be read
    emits nothing for its stream (so it never unloads anything) and does not disturb the others.
    `emit` is called by the poller's thread or by `update`, never by both at a time.
    Source: tensorflow_serving/sources/storage_path/file_system_storage_path_source.
    """

    def __init__(
        self,
        emit: Emit,
        file_system: FileSystem,
        options: SourceOptions = SourceOptions(),
        clock: Clock = SystemClock(),
    ) -> None: ...

    def start(self) -> None:
        """Start the poller's thread, unless the interval is negative."""

    def stop(self, timeout: timedelta = timedelta(seconds=1)) -> bool:
        """Stop polling; whether the thread ended in time. Nothing is emitted afterwards."""
        raise NotImplementedError

    def update(self, streams: Iterable[WatchedStream]) -> None:
        """Watch exactly these; streams no longer listed are emitted with {} before returning.

        Streams that stay are not disturbed. New ones are polled at once by the poller's thread.
        """

    def poll(self) -> None:
        """One poll in the calling thread; what the poller's thread does each time."""

    def finding(self, name: str) -> Finding | None:
        """What the newest poll saw, or None before the first poll of this stream."""
        raise NotImplementedError
