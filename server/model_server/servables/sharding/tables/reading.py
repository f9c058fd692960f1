"""How rows come out of a data file: once, their checksum on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np

from model_server.servables.dtypes import dtype_of
from model_server.servables.sharding.checkpoint.checkpoint_index import StoredTensor
from model_server.servables.sharding.tables.table import Table

_PIECE = 1 << 20


def read_rows(path: Path, part: StoredTensor) -> Table:
    """Rows that lie in this data file. Raises OSError where it ends before they do."""
    rows = np.empty(part.shape, dtype_of(part.dtype).numpy)
    into = _bytes_of(rows)
    crc = at = 0
    for piece in _pieces(path, part):
        into[at : at + len(piece)] = np.frombuffer(piece, np.uint8)
        crc = google_crc32c.extend(crc, piece)
        at += len(piece)
    rows.flags.writeable = False
    return Table(rows, crc)


def sum_of(path: Path, part: StoredTensor) -> int:
    """The plain CRC-32C of rows that lie in the file; none of them is kept.

    Raises OSError where it ends before they do.
    """
    crc = 0
    for piece in _pieces(path, part):
        crc = google_crc32c.extend(crc, piece)
    return crc


def are_equal(table: Table, path: Path, part: StoredTensor) -> bool:
    """Whether just these rows lie in the file; hardly any memory is needed to know.

    Raises OSError where it ends before they do.
    """
    held = _bytes_of(table.rows)
    at = 0
    for piece in _pieces(path, part):
        if not np.array_equal(held[at : at + len(piece)], np.frombuffer(piece, np.uint8)):
            return False
        at += len(piece)
    return True


def _bytes_of(rows: Any) -> Any:
    return rows.reshape(-1).view(np.uint8)


def _pieces(path: Path, part: StoredTensor) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(part.offset)
            left = part.size
            while left:
                piece = file.read(min(left, _PIECE))
                if not piece:
                    end = part.offset + part.size
                    raise OSError(f"it ends {left} bytes before byte {end}")
                left -= len(piece)
                yield piece
    except OSError as error:
        raise OSError(f"{path}: {error}") from error
