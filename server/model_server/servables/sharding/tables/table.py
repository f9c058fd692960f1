"""Some rows of a stored tensor in memory, which never change."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from model_server.core.errors import Code, ServingError
from model_server.servables.signature import Tensor

Ids = NDArray[np.int32] | NDArray[np.int64]


@dataclass(frozen=True)
class Content:
    """What tells rows from others before they are read: of which stored tensor, and which of it.

    `crc` is the stored tensor's masked CRC-32C, `dtype` a number of ``tensorflow.DataType``;
    `start` and `stop` count rows.
    """

    dtype: int
    shape: tuple[int, ...]
    crc: int
    start: int
    stop: int


@dataclass(frozen=True, eq=False)
class Table:
    """The rows, and the plain CRC-32C of their bytes."""

    rows: NDArray[np.generic]
    crc: int

    def gathered(self, tensor: Tensor) -> Tensor:
        """The rows with these numbers, int32 or int64, as ``ResourceGather`` gives them.

        Raises ServingError, INVALID_ARGUMENT in TensorFlow's words, for one that there is not.
        """
        # Gathers take no other types.
        ids, count = cast(Ids, tensor), len(self.rows)
        if ids.size and not (ids.min() >= 0 and ids.max() < count):
            raise outside(ids, count)
        return self.rows.take(ids, 0)


def outside(ids: Ids, count: int) -> ServingError:
    """What TensorFlow says of the first of these ids that is not one of so many rows."""
    flat = ids.reshape(-1)
    place = np.unravel_index(int(((flat < 0) | (flat >= count)).argmax()), ids.shape)
    where = ",".join(str(each) for each in place)
    said = f"indices[{where}] = {ids[place]} is not in [0, {count})"
    return ServingError(Code.INVALID_ARGUMENT, said)
