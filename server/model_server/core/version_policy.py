"""Which of the versions found in storage are aspired."""

import dataclasses
from typing import Protocol


class VersionPolicy(Protocol):
    """A pure choice among the versions found."""

    def aspired(self, found: frozenset[int]) -> frozenset[int]:
        """The versions to load, out of those found."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Latest:
    """The ``count`` highest versions. 0 means 1, as ``latest {}`` does in a config file."""

    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 0:
            raise ValueError(f"latest: num_versions must not be negative, got {self.count}")

    def aspired(self, found: frozenset[int]) -> frozenset[int]:
        """See VersionPolicy.aspired."""
        return frozenset(sorted(found, reverse=True)[: max(self.count, 1)])


@dataclasses.dataclass(frozen=True, slots=True)
class All:
    """Every version."""

    def aspired(self, found: frozenset[int]) -> frozenset[int]:
        """See VersionPolicy.aspired."""
        return found


@dataclasses.dataclass(frozen=True, slots=True)
class Specific:
    """These versions, as far as they are found."""

    versions: frozenset[int]

    def aspired(self, found: frozenset[int]) -> frozenset[int]:
        """See VersionPolicy.aspired."""
        return found & self.versions
