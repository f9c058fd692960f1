"""Files of records under one prefix: each of bounded size, and not more than a number of them."""

import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_NUMBER = r"\.(\d{6,})"


@dataclass(frozen=True)
class FileLimits:
    """A file holds ``bytes``, or one record if that is larger; the oldest of ``files`` is removed.

    All files are below ``folder``; without one there are none.
    """

    folder: str = ""
    bytes: int = 64 * 2**20
    files: int = 10


class NumberedFiles:
    """Writes ``PREFIX.HOST.000001SUFFIX`` and so on; never to a file that was there before.

    The host is in the name so that replicas may share a folder. Not thread-safe.
    """

    def __init__(self, prefix: str, suffix: str, limits: FileLimits) -> None:
        self._base = Path(f"{prefix}.{socket.gethostname()}")
        self._suffix = suffix
        self._limits = limits
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, record: bytes) -> None:
        """Adds a record, whole or not at all; it is with the system when this returns.

        Raises OSError.
        """
        if self._file is not None and self._size + len(record) > self._limits.bytes:
            self.close()
        if self._file is None:
            self._file, self._size = self._next(), 0
        try:
            _write_all(self._file, record)
        except OSError:
            # Half a record would make what follows unreadable.
            os.ftruncate(self._file.fileno(), self._size)
            self._file.seek(self._size)
            raise
        self._size += len(record)

    def close(self) -> None:
        """Ends the file at hand; a further record begins another."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _next(self) -> BinaryIO:
        self._base.parent.mkdir(parents=True, exist_ok=True)
        numbers = self._numbers()
        for number in numbers[: max(len(numbers) - self._limits.files + 1, 0)]:
            self._path(number).unlink(missing_ok=True)
        number = numbers[-1] + 1 if numbers else 1
        while True:
            try:
                return open(self._path(number), "xb", buffering=0)
            except FileExistsError:
                # Another process of this host writes under the same prefix.
                number += 1

    def _numbers(self) -> list[int]:
        name = re.compile(re.escape(self._base.name) + _NUMBER + re.escape(self._suffix))
        found = (name.fullmatch(file) for file in os.listdir(self._base.parent))
        return sorted(int(match[1]) for match in found if match)

    def _path(self, number: int) -> Path:
        return self._base.with_name(f"{self._base.name}.{number:06d}{self._suffix}")


def _write_all(file: BinaryIO, record: bytes) -> None:
    rest = memoryview(record)
    while rest:
        rest = rest[file.write(rest) :]
