"""The platform ``hashmap``: a file of keys and values; the smallest example of a platform.

The version folder holds ``hashmap.csv`` with one ``key,value`` on each line, in any encoding.
Source of the format: TensorFlow Serving ``servables/hashmap``, which has no API to ask it by.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model_server.core.errors import Code, ServingError
from model_server.servables.dtypes import BOOL, STRING
from model_server.servables.platform import Runtime
from model_server.servables.signature import (
    DEFAULT_SIGNATURE,
    Signature,
    Tensor,
    Tensors,
    TensorSpec,
)

_FILE = "hashmap.csv"


class Hashmap:
    """Values by key. Predict takes ``keys`` of any shape and answers in that shape.

    ``values`` are strings, empty where there is no such key; ``found`` says which keys there are.
    """

    signatures: Mapping[str, Signature] = {
        DEFAULT_SIGNATURE: Signature(
            name=DEFAULT_SIGNATURE,
            inputs={"keys": TensorSpec("keys", STRING)},
            outputs={"values": TensorSpec("values", STRING), "found": TensorSpec("found", BOOL)},
        )
    }

    def __init__(self, entries: Mapping[bytes, bytes]) -> None:
        self._entries = entries

    def run(self, signature: Signature, inputs: Tensors, outputs: Sequence[str]) -> list[Tensor]:
        """See Servable.run."""
        keys = inputs["keys"]
        values = np.empty(keys.shape, STRING.numpy)
        found = np.empty(keys.shape, BOOL.numpy)
        key: Any
        for index, key in np.ndenumerate(keys):
            values[index] = self._entries.get(key, b"")
            found[index] = key in self._entries
        every: dict[str, Tensor] = {"values": values, "found": found}
        return [every[alias] for alias in outputs]


class HashmapPlatform:
    """Loads files of keys and values."""

    def __init__(self, runtime: Runtime) -> None:
        """Takes nothing of the server's flags."""

    def load(self, name: str, version: int, path: str) -> Hashmap:
        """See Platform.load. Raises ServingError, NOT_FOUND or INVALID_ARGUMENT."""
        file = Path(path) / _FILE
        try:
            lines = file.read_bytes().splitlines()
        except FileNotFoundError as error:
            raise ServingError(Code.NOT_FOUND, f"there is no {_FILE} in {path}") from error
        return Hashmap(_entries(lines, file))

    def unload(self, servable: Hashmap) -> None:
        """See Platform.unload. The servable's memory goes with it."""


def _entries(lines: Sequence[bytes], file: Path) -> dict[bytes, bytes]:
    entries: dict[bytes, bytes] = {}
    for number, line in enumerate(lines, start=1):
        columns = line.split(b",")
        if len(columns) != 2:
            raise _unsound(file, number, "Unexpected format: expected key,value")
        if columns[0] in entries:
            raise _unsound(file, number, "the key is there already")
        entries[columns[0]] = columns[1]
    return entries


def _unsound(file: Path, number: int, problem: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"{file}, line {number}: {problem}")
