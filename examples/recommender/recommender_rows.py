"""The numbers of the recommender: rows that anybody can compute again, from their place alone.

So a table of any size is written a piece at a time, and a client knows the right answers without
the model.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NAME = "recommender"
WIDTH = 64
ROW_BYTES = 4 * WIDTH
PIECE_ROWS = 4096  # 1 MiB
HIDDEN = "hidden"

_UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_SEED = 20
_USERS_OF_TEN = 8
_FEWEST_ROWS = 10

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Table:
    """A table of float32 rows; `number` makes its rows others than those of the next one."""

    name: str
    number: int
    rows: int

    def pieces(self) -> Iterator[Floats]:
        """All rows in order, at most 1 MiB at a time."""
        for piece in range(-(-self.rows // PIECE_ROWS)):
            first = piece * PIECE_ROWS
            yield self._piece(piece)[: self.rows - first]

    def row(self, number: int) -> Floats:
        """One row."""
        row: Floats = self._piece(number // PIECE_ROWS)[number % PIECE_ROWS]
        return row

    def _piece(self, piece: int) -> Floats:
        rng = np.random.default_rng([_SEED, self.number, piece])
        return rng.random((PIECE_ROWS, WIDTH), np.float32) - np.float32(0.5)


@dataclass(frozen=True)
class Tables:
    """What the recommender looks up."""

    users: Table
    items: Table

    @property
    def bytes(self) -> int:
        """Both tables."""
        return ROW_BYTES * (self.users.rows + self.items.rows)


def size_of(text: str) -> int:
    """The bytes of a size such as 2GB. Raises argparse.ArgumentTypeError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(MB|GB|TB)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size, such as 500MB, 2GB or 1.2TB")
    return int(float(match[1]) * _UNITS[match[2]])


def tables_of(size: int) -> Tables:
    """Tables that take so many bytes, but for a few rows: four users for each item."""
    rows = max(size // ROW_BYTES, _FEWEST_ROWS)
    users = rows * _USERS_OF_TEN // 10
    return Tables(Table("users", 0, users), Table("items", 1, rows - users))


def hidden_weights() -> Floats:
    """The dense layer between a user's row and the items'."""
    rng = np.random.default_rng([_SEED, 2])
    return rng.standard_normal((WIDTH, WIDTH), np.float32) / np.float32(WIDTH**0.5)


def scores(tables: Tables, user: int, candidates: Sequence[int]) -> Floats:
    """How well each candidate suits a user, as the model computes it."""
    wish = np.maximum(tables.users.row(user) @ hidden_weights(), 0)
    return np.array([tables.items.row(item) @ wish for item in candidates], np.float32)
