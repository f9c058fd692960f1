"""Where versions come from: polled base paths, and which of their versions are aspired."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from model_server.core.version_policy import Latest, VersionPolicy

Emit = Callable[[str, Mapping[int, str]], None]


class FileSystem(Protocol):
    """The little the source needs of a local or remote file system."""

    def exists(self, path: str) -> bool:
        """Whether there is something at ``path``; raises OSError if that cannot be told."""
        ...

    def children(self, path: str) -> Iterable[str]:
        """Names, not paths, of what lies directly in ``path``; raises OSError if unreadable."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """A servable stream to watch: its name, its base path and which versions are wanted."""

    name: str
    base_path: str
    policy: VersionPolicy = Latest()
