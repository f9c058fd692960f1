"""How the variables of a member, and only those, come out of a checkpoint into a session.

TensorFlow's restore reads a stored tensor whole, whatever slice of it is asked for. A row range of
a tensor is a range of bytes, though, so an index of our own declares it to be a tensor.
"""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_server.servables.sharding.checkpoint.checkpoint_index import (
    CheckpointIndex,
    StoredTensor,
    index_bytes,
    rows_of,
)
from model_server.servables.sharding.checkpoint.checksums import masked_of, unmask
from model_server.servables.sharding.cut.part import Held
from model_server.servables.sharding.cut.rewriting import HANDLE
from model_server.servables.sharding.plan.shard_plan import Variable

_DATA = "{prefix}.data-{file:05d}-of-{files:05d}"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint in a folder: the beginning of its files' names, and its index."""

    prefix: str
    index: CheckpointIndex

    def data(self, file: int) -> Path:
        """One of its data files."""
        return Path(_DATA.format(prefix=self.prefix, file=file, files=self.index.files))


@dataclass(frozen=True)
class _Fill:
    handle: str
    prefix: str
    key: str
    slice: str
    dtype: int


def fill_copies(session: Any, checkpoint: Checkpoint, variables: Iterable[Variable]) -> None:
    """Fills variables of an entry's graph with all of their values.

    Raises:
        tf.errors.OpError: the checkpoint is damaged.
    """
    names = {node.name for node in session.graph.as_graph_def().node}
    _run(
        session,
        [
            _Fill(
                each.name + HANDLE if each.name + HANDLE in names else each.name,
                checkpoint.prefix,
                each.key,
                each.slice,
                each.dtype,
            )
            for each in variables
            if each.name in names
        ],
    )


def fill_part(
    session: Any, checkpoint: Checkpoint, held: Iterable[Held], member: int
) -> dict[str, int]:
    """Fills the variables of a member's part, and reads no others.

    Returns:
        The plain CRC-32C of each range of rows, by the variable's name.

    Raises:
        OSError: a data file cannot be read.
        tf.errors.OpError: the checkpoint is damaged.
    """
    fills, ranges = [], {}
    with tempfile.TemporaryDirectory(prefix="model-server-share-") as folder:
        share = str(Path(folder) / "share")
        for each in held:
            stored = checkpoint.index.tensors[each.placed.variable.key]
            rows = each.rows_on(member)
            if rows is None or stored.is_sliced:
                slice_ = _slice(each.placed.variable, rows)
                fills.append(_Fill(each.handle, checkpoint.prefix, stored.key, slice_, each.dtype))
                continue
            crc = _sum_of_rows(checkpoint, stored, rows)
            ranges[each.placed.variable.name] = rows_of(stored, rows, each.handle, crc)
            fills.append(_Fill(each.handle, share, each.handle, "", each.dtype))
        for file in {each.file for each in ranges.values()}:
            link = _DATA.format(prefix=share, file=file, files=checkpoint.index.files)
            Path(link).symlink_to(checkpoint.data(file).resolve())
        Path(f"{share}.index").write_bytes(index_bytes(checkpoint.index.files, ranges.values()))
        _run(session, fills)
    return {name: unmask(each.crc) for name, each in ranges.items()}


def _sum_of_rows(checkpoint: Checkpoint, stored: StoredTensor, rows: range) -> int:
    part = rows_of(stored, rows, stored.key, 0)
    path = checkpoint.data(stored.file)
    try:
        with path.open("rb") as file:
            return masked_of(file, part.offset, part.size)
    except OSError as error:
        raise OSError(f"{path}: {error}") from error


def _slice(variable: Variable, rows: range | None) -> str:
    """TensorFlow's description of some rows of a variable, which may be a part of a larger one."""
    if rows is None:
        return variable.slice
    whole, first = [str(size) for size in variable.shape], 0
    parts = [f"0,{size}" for size in variable.shape]
    if variable.slice:
        *whole, described = variable.slice.split(" ")
        parts = described.split(":")
        first = 0 if parts[0] == "-" else int(parts[0].split(",")[0])
    parts[0] = f"{first + rows.start},{len(rows)}"
    return " ".join((*whole, ":".join(parts)))


def _run(session: Any, fills: list[_Fill]) -> None:
    graph = session.graph
    with graph.as_default(), tf.device("/cpu:0"):
        for prefix in sorted({each.prefix for each in fills}):
            mine = [each for each in fills if each.prefix == prefix]
            values = tf.raw_ops.RestoreV2(
                prefix=prefix,
                tensor_names=[each.key for each in mine],
                shape_and_slices=[each.slice for each in mine],
                dtypes=[tf.as_dtype(each.dtype) for each in mine],
            )
            session.run(
                [
                    tf.raw_ops.AssignVariableOp(
                        resource=graph.get_tensor_by_name(f"{each.handle}:0"), value=value
                    )
                    for each, value in zip(mine, values, strict=True)
                ]
            )
