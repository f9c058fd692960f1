"""How the variables of a member, and only those, come out of a checkpoint.

TensorFlow's restore reads a stored tensor whole, whatever slice of it is asked for. A row range of
a tensor is a range of bytes, though, and those are read here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from model_server.servables.sharding.checkpoint.checkpoint_index import CheckpointIndex, rows_of
from model_server.servables.sharding.cut.part import Held
from model_server.servables.sharding.cut.rewriting import HANDLE
from model_server.servables.sharding.plan.shard_plan import Split, Variable
from model_server.servables.sharding.tables.held_tables import HELD
from model_server.servables.sharding.tables.reading import are_equal, read_rows
from model_server.servables.sharding.tables.table import Content, Table

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


def fill_whole(session: Any, checkpoint: Checkpoint, held: Iterable[Held]) -> None:
    """Fills the variables of a member's graph, which lie on it whole.

    Raises:
        tf.errors.OpError: the checkpoint is damaged.
    """
    _run(
        session,
        [
            _Fill(
                each.handle,
                checkpoint.prefix,
                each.placed.variable.key,
                each.placed.variable.slice,
                each.dtype,
            )
            for each in held
        ],
    )


def table_of(checkpoint: Checkpoint, split: Split, member: int) -> Table:
    """A member's rows of a table, and no others; those that another model has are shared.

    Raises:
        OSError: a data file cannot be read.
        tf.errors.OpError: the checkpoint is damaged.
    """
    stored = checkpoint.index.tensors[split.variable.key]
    rows = range(split.bounds[member], split.bounds[member + 1])
    if stored.is_sliced:
        return _of_slices(checkpoint, split.variable, rows)
    part = rows_of(stored, rows, stored.key, 0)
    path = checkpoint.data(stored.file)
    content = Content(stored.dtype, stored.shape, stored.crc, rows.start, rows.stop)
    return HELD.table(
        content,
        partial(read_rows, path, part),
        lambda table: are_equal(table, path, part),
    )


def _of_slices(checkpoint: Checkpoint, variable: Variable, rows: range) -> Table:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        (value,) = tf.raw_ops.RestoreV2(
            prefix=checkpoint.prefix,
            tensor_names=[variable.key],
            shape_and_slices=[slice_of(variable, rows)],
            dtypes=[tf.as_dtype(variable.dtype)],
        )
        return Table(session.run(value), 0)


def slice_of(variable: Variable, rows: range) -> str:
    """TensorFlow's description of some rows of a variable, which may be a part of a larger one."""
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
