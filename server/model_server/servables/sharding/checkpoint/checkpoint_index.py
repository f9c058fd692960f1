"""Which tensors a checkpoint holds and where their bytes lie, without reading any of them; pure.

The index of ``variables/variables`` is the file ``variables.index`` beside its data files. Format:
``tensorflow/core/protobuf/tensor_bundle.proto``. TensorFlow's own reader hides the offsets, which a
member needs that reads its rows only.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError
from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto, BundleHeaderProto
from tensorflow.python.framework import dtypes

from model_server.servables.sharding.checkpoint.sorted_table import (
    BrokenTable,
    read_table,
    table_of,
)

_HEADER = b""
# Keys of the slices of partitioned variables begin so; they are listed under the plain name too.
_SLICE = b"\0"
_PRODUCER = 1


class BrokenIndex(ValueError):
    """The bytes are no checkpoint index, or were damaged."""


@dataclass(frozen=True)
class StoredTensor:
    """A tensor and its place in the data files.

    `dtype` is a number of ``tensorflow.DataType``. `file` counts the data files from 0; the bytes
    of its rows lie there one after another from `offset` on, `size` in all. `crc` is their masked
    CRC-32C. A tensor stored in slices (`is_sliced`) has no bytes under its own name.
    """

    key: str
    dtype: int
    shape: tuple[int, ...]
    file: int
    offset: int
    size: int
    crc: int
    is_sliced: bool = False

    @property
    def bytes(self) -> int:
        """What it takes in memory; strings count what they take in the file."""
        width: int = dtypes.as_dtype(self.dtype).size or 0
        return math.prod(self.shape) * width or self.size


@dataclass(frozen=True)
class CheckpointIndex:
    """The tensors of a checkpoint by key, and how many data files they are in."""

    files: int
    tensors: Mapping[str, StoredTensor]


def read_index(data: bytes) -> CheckpointIndex:
    """The content of an index file.

    Raises:
        BrokenIndex: it is none, or was damaged.
    """
    try:
        table = read_table(data)
        header = BundleHeaderProto.FromString(table.pop(_HEADER))
        if header.endianness != BundleHeaderProto.LITTLE:
            raise BrokenIndex("its numbers are big-endian, which nothing here reads")
        plain = {key: value for key, value in table.items() if not key.startswith(_SLICE)}
        tensors = [_tensor(key.decode(), value) for key, value in plain.items()]
    except (BrokenTable, DecodeError, UnicodeDecodeError) as error:
        raise BrokenIndex(str(error)) from error
    except KeyError as error:
        raise BrokenIndex("it has no header") from error
    return CheckpointIndex(header.num_shards, {tensor.key: tensor for tensor in tensors})


def index_bytes(files: int, tensors: Iterable[StoredTensor]) -> bytes:
    """An index file with these tensors; the way back from `read_index`, but for slices.

    Raises:
        ValueError: a tensor is stored in slices.
    """
    header = BundleHeaderProto(num_shards=files)
    header.version.producer = _PRODUCER
    pairs = {_HEADER: header.SerializeToString()}
    for tensor in tensors:
        if tensor.is_sliced:
            raise ValueError(f"{tensor.key} is stored in slices")
        entry = BundleEntryProto(
            dtype=tensor.dtype,
            shard_id=tensor.file,
            offset=tensor.offset,
            size=tensor.size,
            crc32c=tensor.crc,
        )
        for size in tensor.shape:
            entry.shape.dim.add(size=size)
        pairs[tensor.key.encode()] = entry.SerializeToString(deterministic=True)
    return table_of(pairs)


def rows_of(tensor: StoredTensor, rows: range, key: str, crc: int) -> StoredTensor:
    """Some of its rows as a tensor of their own, in the same data file.

    Args:
        tensor: stored whole, with at least one dimension, of a type with a fixed width.
        rows: which ones, in a row.
        key: the name that they get.
        crc: the masked CRC-32C of just their bytes.

    Raises:
        ValueError: the tensor has no such rows.
    """
    count = tensor.shape[0] if tensor.shape else 0
    if tensor.is_sliced or not 0 <= rows.start <= rows.stop <= count or rows.step != 1:
        raise ValueError(f"{tensor.key} of shape {tensor.shape} has no rows {rows}")
    width = tensor.size // count if count else 0
    return replace(
        tensor,
        key=key,
        shape=(len(rows), *tensor.shape[1:]),
        offset=tensor.offset + rows.start * width,
        size=len(rows) * width,
        crc=crc,
    )


def _tensor(key: str, value: bytes) -> StoredTensor:
    entry = BundleEntryProto.FromString(value)
    return StoredTensor(
        key=key,
        dtype=entry.dtype,
        shape=tuple(dim.size for dim in entry.shape.dim),
        file=entry.shard_id,
        offset=entry.offset,
        size=entry.size,
        crc=entry.crc32c,
        is_sliced=bool(entry.slices),
    )
