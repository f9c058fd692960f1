"""What is told of a run of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Ran:
    """One run: the rows of each part, and of all that was run, with ``padding`` of them added."""

    parts: Sequence[int]
    size: int
    padding: int
