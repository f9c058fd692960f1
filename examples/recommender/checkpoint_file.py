"""A checkpoint that is written a piece at a time, where TensorFlow's own needs a tensor in memory.

The format is TensorFlow's: the tensors' bytes one after another in a data file, and an index beside
it with their places and checksums.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from model_server.servables.dtypes import FLOAT
from model_server.servables.sharding.checkpoint.checkpoint_index import StoredTensor, index_bytes
from model_server.servables.sharding.checkpoint.checksums import mask


@dataclass(frozen=True)
class Tensor:
    """A float32 tensor, by pieces of its rows."""

    key: str
    shape: tuple[int, ...]
    pieces: Iterable[NDArray[np.float32]]


def write_checkpoint(
    tensors: Iterable[Tensor], prefix: Path, wrote: Callable[[int], None] = lambda _bytes: None
) -> None:
    """Write the data file and the index of a checkpoint; `wrote` hears of each piece's bytes.

    Raises:
        OSError: a file cannot be written.
    """
    stored = []
    with prefix.with_name(f"{prefix.name}.data-00000-of-00001").open("wb") as data:
        for tensor in tensors:
            offset, crc = data.tell(), 0
            for piece in tensor.pieces:
                written = piece.astype("<f4", copy=False).tobytes()
                data.write(written)
                crc = google_crc32c.extend(crc, written)
                wrote(len(written))
            size = data.tell() - offset
            stored.append(
                StoredTensor(tensor.key, FLOAT.number, tensor.shape, 0, offset, size, mask(crc))
            )
    _index(prefix).write_bytes(index_bytes(1, stored))


def write_index(tensors: Iterable[Tensor], prefix: Path) -> None:
    """Write only the index of a checkpoint, without checksums: what plans are made from.

    Raises:
        OSError: it cannot be written.
    """
    stored, offset = [], 0
    for tensor in tensors:
        size = FLOAT.numpy.itemsize * math.prod(tensor.shape)
        stored.append(StoredTensor(tensor.key, FLOAT.number, tensor.shape, 0, offset, size, 0))
        offset += size
    _index(prefix).write_bytes(index_bytes(1, stored))


def _index(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.index")
