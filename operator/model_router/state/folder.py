"""A folder of traffic records and endpoints, read again and again.

records/MODEL.json holds a traffic record, endpoints/REVISION.json the ready pods of a revision.
Writers replace files by renaming, so that a file is never seen half written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from model_router.record.documents import MOST_BYTES, InvalidDocument
from model_router.record.endpoints import Endpoint, RevisionEndpoints, parse_endpoints
from model_router.record.traffic import TrafficRecord, parse_record

T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """All records and endpoints at one moment; `problems` says what is wrong with which file.

    A file that became bad is represented by its last good content, if there was one.
    """

    records: Mapping[str, TrafficRecord] = field(default_factory=dict)
    endpoints: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _File(Generic[T]):
    signature: tuple[int, int, int]
    content: T | None
    problem: str | None


class _Documents(Generic[T]):
    """The documents of one kind in one folder, each parsed only when its file changed."""

    def __init__(self, folder: Path, parse: Callable[[bytes], T], name: Callable[[T], str]) -> None:
        self._folder = folder
        self._parse = parse
        self._name = name
        self._files: dict[str, _File[T]] = {}

    def read(self) -> dict[str, _File[T]]:
        """Every document by the name its file has, without ".json"."""
        if not self._folder.is_dir():
            # A volume that is gone for a moment must not end every model's traffic.
            return self._files
        found: dict[str, _File[T]] = {}
        for path in sorted(self._folder.glob("*.json")):
            before = self._files.get(path.stem)
            try:
                stat = path.stat()
                signature = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
                if before is None or before.signature != signature:
                    before = self._fresh(path, signature, before)
            except FileNotFoundError:
                continue  # removed between listing and reading
            found[path.stem] = before
        self._files = found
        return found

    def _fresh(
        self, path: Path, signature: tuple[int, int, int], before: _File[T] | None
    ) -> _File[T]:
        try:
            with path.open("rb") as file:
                content = self._parse(file.read(MOST_BYTES + 1))
            if self._name(content) != path.stem:
                raise InvalidDocument(f"name: is {self._name(content)!r}, the file's {path.stem!r}")
        except FileNotFoundError:
            raise
        except (InvalidDocument, OSError) as error:
            return _File(signature, before.content if before else None, str(error))
        return _File(signature, content, None)


class StateFolder:
    """Reads the folder; keeps nothing but what it saw last."""

    def __init__(self, path: Path) -> None:
        self._records = _Documents(path / "records", parse_record, lambda r: r.name)
        self._endpoints = _Documents(path / "endpoints", parse_endpoints, _revision)

    def read(self) -> Snapshot:
        """What the folder holds now; bad files never hide good ones."""
        records, endpoints = self._records.read(), self._endpoints.read()
        problems = {f"records/{n}.json": f.problem for n, f in records.items() if f.problem}
        problems |= {f"endpoints/{n}.json": f.problem for n, f in endpoints.items() if f.problem}
        return Snapshot(
            records={n: f.content for n, f in records.items() if f.content},
            endpoints={n: f.content.endpoints for n, f in endpoints.items() if f.content},
            problems=problems,
        )


def _revision(document: RevisionEndpoints) -> str:
    return document.revision
