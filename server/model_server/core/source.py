"""Watches base paths for version folders and says which versions are aspired."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Protocol

from model_server.core.clock import SYSTEM_CLOCK, Clock
from model_server.core.version_folders import version_folders
from model_server.core.version_policy import Latest, Specific, VersionPolicy

_log = logging.getLogger(__name__)

Emit = Callable[[str, Mapping[int, str]], None]
"""Takes a stream's name and its aspired versions {version: path}; {} means unload everything."""


class FileSystem(Protocol):
    """As much of a file system as the source needs."""

    def children(self, path: str) -> Iterable[str]:
        """Names in a folder. Object stores may add a trailing "/" or name deeper descendants.

        Raises FileNotFoundError if there is no such folder, and any other Exception.
        """


@dataclass(frozen=True, slots=True)
class WatchedStream:
    """A servable stream in storage."""

    name: str
    base_path: str
    policy: VersionPolicy = field(default_factory=Latest)


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


_DEFAULTS = SourceOptions()


@dataclass(frozen=True, slots=True)
class _Look:
    """What one look at a base path gave: the finding, the paths to emit, sentences to log."""

    finding: Finding
    aspired: Mapping[int, str]
    warnings: tuple[str, ...]


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
        options: SourceOptions = _DEFAULTS,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._emit = emit
        self._file_system = file_system
        self._options = options
        self._clock = clock
        # Guards everything below; never held while the file system is asked, which may take long.
        self._changed = threading.Condition()
        self._streams: dict[str, WatchedStream] = {}
        self._looks: dict[str, _Look] = {}
        self._is_due = True
        self._stopped = False
        self._poller: threading.Thread | None = None

    def start(self) -> None:
        """Start the poller's thread, unless the interval is negative."""
        if self._options.poll_interval >= timedelta(0) and self._poller is None:
            self._poller = threading.Thread(target=self._run, name="source", daemon=True)
            self._poller.start()

    def stop(self, timeout: timedelta = timedelta(seconds=1)) -> bool:
        """Stop polling; whether the thread ended in time. Nothing is emitted afterwards."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._poller is None:
            return True
        self._poller.join(timeout.total_seconds())
        return not self._poller.is_alive()

    def update(self, streams: Iterable[WatchedStream]) -> None:
        """Watch exactly these; streams no longer listed are emitted with {} before returning.

        Streams that stay are not disturbed. New ones are polled at once by the poller's thread.
        """
        with self._changed:
            old, self._streams = self._streams, {stream.name: stream for stream in streams}
            self._looks = {
                name: look
                for name, look in self._looks.items()
                if self._streams.get(name) == old.get(name)
            }
            for name in old.keys() - self._streams.keys():
                self._send(name, {})
            self._is_due = True
            self._changed.notify_all()

    def poll(self) -> None:
        """One poll in the calling thread; what the poller's thread does each time."""
        with self._changed:
            self._is_due = False
            streams = tuple(self._streams.values())
        for stream in streams:
            look = self._look(stream)
            with self._changed:
                # The streams may have been updated while we looked.
                if not self._stopped and self._streams.get(stream.name) == stream:
                    self._report(stream, look)

    def finding(self, name: str) -> Finding | None:
        """What the newest poll saw, or None before the first poll of this stream."""
        look = self._looks.get(name)
        return None if look is None else look.finding

    def _run(self) -> None:
        interval = self._options.poll_interval or None
        while not self._stopped:
            self.poll()
            with self._changed:
                self._clock.wait_for(self._changed, lambda: self._stopped or self._is_due, interval)

    def _look(self, stream: WatchedStream) -> _Look:
        try:
            children = tuple(self._file_system.children(stream.base_path))
        except FileNotFoundError:
            error = f"Could not find base path {stream.base_path} for servable {stream.name}"
            return _Look(Finding(missing_base_path=True, error=error), {}, (error,))
        except Exception as failure:
            error = (
                f"Could not list base path {stream.base_path} for servable {stream.name}: {failure}"
            )
            return _Look(Finding(error=error), {}, (error,))
        indexed = version_folders(children)
        found = frozenset(indexed.folders)
        aspired = stream.policy.aspired(found)
        paths = {
            version: f"{stream.base_path.rstrip('/')}/{indexed.folders[version]}"
            for version in sorted(aspired)
        }
        warnings = (*indexed.warnings, *_absences(stream, found, aspired))
        return _Look(Finding(found, aspired), paths, warnings)

    def _report(self, stream: WatchedStream, look: _Look) -> None:
        before = self._looks.get(stream.name)
        must_keep = self._must_keep(before, look)
        if before is None or before.warnings != look.warnings:
            # Once, and not at every poll: a model may be missing for days.
            for warning in look.warnings:
                _log.warning(warning, extra={"model": stream.name})
            if must_keep and look.finding.error is None:
                _log.warning(
                    "Refusing to unload all versions for Servable: %s",
                    stream.name,
                    extra={"model": stream.name},
                )
        if before is not None and must_keep:
            finding = replace(look.finding, aspired=before.finding.aspired)
            look = replace(look, finding=finding, aspired=before.aspired)
        self._looks = {**self._looks, stream.name: look}
        if not must_keep:
            self._send(stream.name, look.aspired)

    def _must_keep(self, before: _Look | None, look: _Look) -> bool:
        """Whether what was aspired before stays aspired, whatever we saw now."""
        if look.finding.error is not None:
            return True
        had_some = before is not None and bool(before.aspired)
        return self._options.versions_always_present and had_some and not look.aspired

    def _send(self, name: str, aspired: Mapping[int, str]) -> None:
        try:
            self._emit(name, aspired)
        except Exception:
            _log.exception(
                "The aspired versions of servable %s could not be passed on",
                name,
                extra={"model": name},
            )


def _absences(
    stream: WatchedStream, found: frozenset[int], aspired: frozenset[int]
) -> Iterable[str]:
    if isinstance(stream.policy, Specific):
        for version in sorted(stream.policy.versions - found):
            yield (
                f"Version {version} of servable {stream.name}, which was requested to be served as"
                " a 'specific' version in the servable's version policy, was not found in the file"
                " system"
            )
    if not aspired:
        yield (
            f"No versions of servable {stream.name} found under base path {stream.base_path}."
            " Did you forget to name your leaf directory as a number (eg. '/1/')?"
        )
