"""Which of the versions found in storage are aspired."""

from dataclasses import dataclass
from typing import Protocol


class VersionPolicy(Protocol):
    def aspired(self, found: frozenset[int]) -> frozenset[int]:
        """The subset of `found` that should be loaded."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest `count` versions; a count of 0 (an unset proto field) means 1."""

    count: int = 1

    def aspired(self, found: frozenset[int]) -> frozenset[int]:
        return frozenset(sorted(found, reverse=True)[: max(self.count, 1)])


@dataclass(frozen=True, slots=True)
class All:
    """Every version."""

    def aspired(self, found: frozenset[int]) -> frozenset[int]:
        return found


@dataclass(frozen=True, slots=True)
class Specific:
    """Only these versions, as far as they exist."""

    versions: frozenset[int]

    def aspired(self, found: frozenset[int]) -> frozenset[int]:
        return found & self.versions
