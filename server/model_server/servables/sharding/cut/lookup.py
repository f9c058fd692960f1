"""Which member is asked for which rows of a split table, and the rows put together again; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from model_server.core.errors import Code, ServingError
from model_server.servables.signature import Tensor

Ids = NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True)
class Lookup:
    """Rows to be found for `ids`, which may have any shape; `bounds` are those of the split."""

    ids: Ids
    order: NDArray[np.intp]
    ends: NDArray[np.intp]
    bounds: tuple[int, ...]

    @property
    def members(self) -> list[int]:
        """Those that have some of the rows."""
        return [member for member, _ in self._places()]

    def question(self, member: int) -> Tensor:
        """The numbers of its rows at one member; none where it has none of them."""
        flat = self.ids.reshape(-1)
        place = dict(self._places()).get(member)
        if place is None:
            return flat[:0]
        return flat[place] - flat.dtype.type(self.bounds[member])

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
        found = np.empty((self.ids.size, *row), dtype)
        for member, place in self._places():
            answer = answers[member]
            if answer.shape != (len(place), *row) or answer.dtype != dtype:
                raise ServingError(
                    Code.INTERNAL,
                    f"member {member} answered {answer.dtype} of shape {answer.shape} for"
                    f" {len(place)} rows of shape {row}",
                )
            found[place] = answer
        return found.reshape(self.ids.shape + row)

    def _places(self) -> Iterator[tuple[int, NDArray[np.intp]]]:
        start = 0
        for member, end in enumerate(self.ends):
            if end > start:
                yield member, self.order[start:end]
            start = end


def lookup(tensor: Tensor, bounds: tuple[int, ...]) -> Lookup:
    """What to ask for the rows of these ids, which are int32 or int64 of any shape.

    Raises:
        ServingError: INVALID_ARGUMENT for an id that no row has, in TensorFlow's words.
    """
    # Gathers take no other types.
    ids = cast(Ids, tensor)
    flat = ids.reshape(-1)
    outside = (flat < 0) | (flat >= bounds[-1])
    if outside.any():
        place = np.unravel_index(int(outside.argmax()), ids.shape)
        where = ",".join(str(each) for each in place)
        raise ServingError(
            Code.INVALID_ARGUMENT, f"indices[{where}] = {ids[place]} is not in [0, {bounds[-1]})"
        )
    members = np.searchsorted(np.asarray(bounds[1:]), flat, side="right")
    order = np.argsort(members, kind="stable")
    ends = np.searchsorted(members[order], np.arange(len(bounds) - 1), side="right")
    return Lookup(ids, order, ends, bounds)
