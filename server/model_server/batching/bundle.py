"""Requests that gather, run and are answered outside of Python."""

from collections.abc import Hashable, Sequence
from typing import Protocol

from model_server.core.errors import ServingError


class Taken(Protocol):
    """Requests that run together."""

    @property
    def rows(self) -> Sequence[int]:
        """Of each request."""

    @property
    def waiting(self) -> int:
        """How many rows like these waited when these were about to be answered."""

    def waited(self) -> Sequence[float]:
        """For how many seconds each request has been here."""

    def run(self, size: int) -> Sequence[int]:
        """Runs them, filled up to so many rows, and answers; raises nothing.

        Returns the rows of those that had to run by themselves after that.
        """

    def fail(self, error: BaseException) -> None:
        """Answers those that have no answer yet."""


class Bundle(Protocol):
    """Requests that can be of one batch, and that others join until the last are taken."""

    @property
    def kind(self) -> Hashable:
        """What is equal for bundles whose requests could be of one batch."""

    @property
    def rows(self) -> int:
        """How many wait now."""

    def has(self, rows: int) -> bool:
        """Whether so many wait, or no more can; if not, the bell is rung when they do."""

    def take(self, most_rows: int) -> tuple[Taken, bool]:
        """The first ones, of so many rows at most if that is more than one request.

        And whether those were all, so that no others come.
        """

    def refuse(self, error: ServingError) -> None:
        """Answers all, and no others come."""
