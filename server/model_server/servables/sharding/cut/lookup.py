"""Which member is asked for which rows of a split table, and the rows put together again; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from model_server.core.errors import Code, ServingError
from model_server.servables.sharding.tables.table import Ids, outside
from model_server.servables.signature import Tensor


@dataclass(frozen=True)
class Lookup:
    """Rows to be found for ids of this `shape`.

    `wanted` has each id once and in order, so that those of each member are together: member k's
    are before place `ends[k]`, and after those of the one before. `places` says for each id where
    it is among them. `bounds` are those of the split.
    """

    shape: tuple[int, ...]
    wanted: Ids
    places: NDArray[np.intp]
    ends: tuple[int, ...]
    bounds: tuple[int, ...]

    @property
    def members(self) -> list[int]:
        """Those that have some of the rows."""
        return [member for member in range(len(self.ends)) if self._count(member)]

    def question(self, member: int) -> Tensor:
        """The numbers of its rows at one member; none where it has none of them."""
        end = self.ends[member]
        mine = self.wanted[end - self._count(member) : end]
        return mine - mine.dtype.type(self.bounds[member])

    def joined(
        self, answers: Mapping[int, Tensor], row: tuple[int, ...], dtype: np.dtype[Any]
    ) -> Tensor:
        """The rows for all ids.

        Args:
            answers: those of each member that was asked, in the order of its question.
            row: the shape of a row.
            dtype: its type.

        Raises:
            ServingError: INTERNAL, where an answer has another shape or type than was asked for.
        """
        parts = [answers[member] for member in self.members]
        for member, answer in zip(self.members, parts, strict=True):
            if answer.shape != (self._count(member), *row) or answer.dtype != dtype:
                raise ServingError(
                    Code.INTERNAL,
                    f"member {member} answered {answer.dtype} of shape {answer.shape} for"
                    f" {self._count(member)} rows of shape {row}",
                )
        if not parts:
            return np.empty(self.shape + row, dtype)
        found = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return found.take(self.places, 0).reshape(self.shape + row)

    def _count(self, member: int) -> int:
        return self.ends[member] - (self.ends[member - 1] if member else 0)


def lookup(tensor: Tensor, bounds: tuple[int, ...]) -> Lookup:
    """What to ask for the rows of these ids, which are int32 or int64 of any shape.

    Raises:
        ServingError: INVALID_ARGUMENT for an id that no row has, in TensorFlow's words.
    """
    # Gathers take no other types.
    ids = cast(Ids, tensor)
    wanted, places = np.unique(ids.reshape(-1), return_inverse=True)
    if len(wanted) and (wanted[0] < 0 or wanted[-1] >= bounds[-1]):
        raise outside(ids, bounds[-1])
    ends = np.searchsorted(wanted, bounds[1:])
    return Lookup(ids.shape, cast(Ids, wanted), places, tuple(ends.tolist()), bounds)
