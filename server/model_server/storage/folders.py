"""The files of a version: in place on this machine, or fetched whole before anybody reads them."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from model_server.core.errors import Code, ServingError
from model_server.storage.file_systems import explained, file_system
from model_server.storage.files import local_path
from model_server.storage.model_cache import ModelCache

_log = logging.getLogger(__name__)

_PART = 8 * 2**20
_PARTS_AT_A_TIME = 4
_MOST_FILES = 10_000

# The bytes of files, by their path in the folder.
Ranges = Mapping[str, Sequence[range]]


class Needs(Protocol):
    """What a load reads of a version's files, where that may not be all of them."""

    @property
    def share(self) -> float:
        """About what part of all bytes that is."""

    def is_in_parts(self, file: str) -> bool:
        """Whether just some bytes may be needed of this file, told by its path in the folder."""

    def ranges(self, folder: str) -> Ranges | None:
        """The bytes that are, given a folder with all other files; None for all of them."""


class Folder(Protocol):
    """A version's folder, wherever it is."""

    def size(self) -> int:
        """The bytes of all files. Raises ServingError, OSError."""

    def fetch(self, needs: Needs | None = None) -> str:
        """The path on this machine where all files are, or what is needed of them.

        Raises ServingError.
        """

    def drop(self) -> None:
        """What ``fetch`` gave is not needed any more."""


@dataclass(frozen=True)
class LocalFolder:
    """A folder that is read where it is."""

    path: str

    def size(self) -> int:
        """See Folder."""
        size = 0
        for folder, _, files in os.walk(self.path):
            for file in files:
                try:
                    size += os.stat(os.path.join(folder, file)).st_size
                except FileNotFoundError:
                    # Taken away while we count; the load will tell.
                    continue
        return size

    def fetch(self, needs: Needs | None = None) -> str:
        """See Folder."""
        return self.path

    def drop(self) -> None:
        """See Folder."""


@dataclass
class RemoteFolder:
    """A folder that is copied into the cache; used by one thread at a time."""

    url: str
    cache: ModelCache
    _place: str | None = field(default=None, init=False)

    def size(self) -> int:
        """See Folder."""
        with _explaining(self.url):
            return sum(file.size for file in _listed(*file_system(self.url)).values())

    def fetch(self, needs: Needs | None = None) -> str:
        """See Folder. Raises ServingError: UNAVAILABLE if the files change meanwhile.

        Files of which not all is needed have holes where the rest would be.
        """
        self.drop()
        with _explaining(self.url):
            opened, path = file_system(self.url)
            files = _listed(opened, path)
            first, in_parts = _divided(files, needs)
            self._place = self._reserved(first)
            try:
                unfinished = Path(self._place) / "unfinished"
                _copy(opened, files, first, unfinished)
                if needs is not None and in_parts:
                    wanted = _within(in_parts, needs.ranges(str(unfinished)))
                    self.cache.extend(self._place, _bytes(wanted))
                    _log.info("Fetching %d bytes more of %s", _bytes(wanted), self.url)
                    _copy(opened, files, wanted, unfinished)
                if _listed(*file_system(self.url)) != files:
                    raise _changed()
                # Under its own name only when whole.
                whole = unfinished.rename(Path(self._place) / self.url.rpartition("/")[2])
            except BaseException:
                self.drop()
                raise
            self.cache.settle(self._place)
            _log.info("Fetched %s", self.url)
            return str(whole)

    def _reserved(self, wanted: Ranges) -> str:
        _log.info("Fetching %s: %d files, %d bytes", self.url, len(wanted), _bytes(wanted))
        return self.cache.reserve(_bytes(wanted))

    def drop(self) -> None:
        """See Folder."""
        if self._place is not None:
            self.cache.free(self._place)
            self._place = None


def folders(cache: ModelCache) -> Callable[[str], Folder]:
    """The folder at a path or URL."""

    def folder(path: str) -> Folder:
        local = local_path(path)
        return RemoteFolder(path, cache) if local is None else LocalFolder(local)

    return folder


@dataclass(frozen=True)
class _File:
    path: str
    size: int
    # Whatever the file system tells of its age and content; only compared.
    told: tuple[tuple[str, str], ...]


def _listed(opened: Any, path: str) -> Mapping[str, _File]:
    """The files below a path, by their path from there."""
    path = path.rstrip("/")
    found = opened.find(path, detail=True)
    files: dict[str, _File] = {}
    for name, told in found.items():
        inside = name.removeprefix(path).lstrip("/") if name.startswith(f"{path}/") else ""
        if not inside or inside.endswith("/") or told["type"] != "file":
            # A marker for a folder, which some tools make.
            continue
        if any(part in ("", ".", "..") for part in inside.split("/")) or "\0" in inside:
            raise ServingError(Code.FAILED_PRECONDITION, f"{name!r} is no path of a file")
        files[inside] = _File(name, int(told["size"]), _told(told))
    for marker in {str(parent) for inside in files for parent in PurePosixPath(inside).parents}:
        # obstore gives markers without their slash.
        if marker in files and files[marker].size == 0:
            del files[marker]
    if not files:
        raise FileNotFoundError(f"there is no file under {path}")
    if len(files) > _MOST_FILES:
        raise ServingError(
            Code.FAILED_PRECONDITION, f"it has {len(files)} files; {_MOST_FILES} are the limit"
        )
    return files


def _told(told: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, str(value)) for key, value in told.items()))


def _divided(files: Mapping[str, _File], needs: Needs | None) -> tuple[Ranges, Ranges]:
    """All bytes of the files that are needed whole, and those of the others."""
    every = {inside: (range(file.size),) for inside, file in files.items()}
    in_parts = {inside for inside in every if needs is not None and needs.is_in_parts(inside)}
    return (
        {inside: ranges for inside, ranges in every.items() if inside not in in_parts},
        {inside: every[inside] for inside in in_parts},
    )


def _within(files: Ranges, needed: Ranges | None) -> Ranges:
    """What there is of it: who misses the end of a file tells by which model."""
    if needed is None:
        return files
    return {
        inside: [range(each.start, min(each.stop, whole.stop)) for each in needed.get(inside, ())]
        for inside, (whole,) in files.items()
    }


def _bytes(wanted: Ranges) -> int:
    return sum(len(each) for ranges in wanted.values() for each in ranges)


def _copy(opened: Any, files: Mapping[str, _File], wanted: Ranges, into: Path) -> None:
    for inside in wanted:
        target = into / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        os.truncate(target, files[inside].size)

    def copy(part: tuple[str, int, int]) -> None:
        inside, start, end = part
        content = opened.cat_file(files[inside].path, start=start, end=end)
        if len(content) != end - start:
            raise _changed()
        with open(into / inside, "r+b") as target:
            target.seek(start)
            target.write(content)

    # In parts, so that neither a large file nor a slow one needs much memory or a long answer.
    with ThreadPoolExecutor(_PARTS_AT_A_TIME, thread_name_prefix="fetch") as pool:
        for _ in pool.map(copy, list(_parts(wanted))):
            pass


def _parts(wanted: Ranges) -> Iterator[tuple[str, int, int]]:
    for inside, ranges in wanted.items():
        for each in ranges:
            for start in range(each.start, each.stop, _PART):
                yield inside, start, min(start + _PART, each.stop)


def _changed() -> ServingError:
    return ServingError(Code.UNAVAILABLE, "its files changed while they were fetched")


@contextmanager
def _explaining(url: str) -> Iterator[None]:
    """Turns what a file system raises into a ServingError that names the folder."""
    try:
        yield
    except Exception as error:
        reason = explained(error)
        raise ServingError(reason.code, f"Could not fetch {url}: {reason.message}") from error
