"""A gather from a table that several members hold rows of, as nodes of a graph; pure protobuf.

The ids are divided by member on the entry, each member gathers from its own rows, and the entry
puts them together in the order of the ids. Every node that has no input of its own waits for the
ids, so that within a condition or a loop all of it belongs there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.node_def_pb2 import NodeDef

_IDS, _ROWS, _JOINED = "ids", "rows", "joined"


@dataclass(frozen=True)
class Scattered:
    """A gather named `node` of these `ids`, of a type, from parts that begin at rows `starts`.

    `dtype` and `ids_type` are numbers of ``tensorflow.DataType``; `row` is the shape of a row.
    """

    node: str
    ids: str
    ids_type: int
    starts: Sequence[int]
    row: Sequence[int]
    dtype: int

    def local(self, part: int) -> str:
        """The tensor of the ids in a part, counted from its first row."""
        return f"{self.node}/{_part(_IDS, part)}:0"

    def rows(self, part: int) -> str:
        """The node that is to give the rows with them."""
        return f"{self.node}/{_part(_ROWS, part)}"


def scattered_nodes(gather: Scattered, waits: Sequence[str] = ()) -> Iterator[Any]:
    """What takes the place of the gather's node, but for the gathers from the parts.

    `waits` are control inputs that the gather had.
    """
    ids = f"{gather.node}/{_IDS}"
    for node in _template(gather).node:
        if node.name.startswith(f"{_ROWS}_"):
            continue
        made = NodeDef()
        made.CopyFrom(node)
        made.name = gather.node if node.name == _JOINED else f"{gather.node}/{node.name}"
        made.input[:] = [_inside(gather, each) for each in node.input]
        if node.name == _IDS:
            made = NodeDef(name=ids, op="Identity", input=[gather.ids, *waits])
            made.attr["T"].type = gather.ids_type
        elif not made.input:
            made.input.append(f"^{ids}")
        yield made


def _inside(gather: Scattered, tensor: str) -> str:
    control = "^" if tensor.startswith("^") else ""
    return f"{control}{gather.node}/{tensor.removeprefix('^')}"


def _template(gather: Scattered) -> Any:
    parts = len(gather.starts)
    with tf.Graph().as_default() as graph:
        ids = tf.compat.v1.placeholder(tf.as_dtype(gather.ids_type), name=_IDS)
        flat = tf.cast(tf.reshape(ids, [-1]), tf.int64)
        first = tf.constant([gather.starts[1:]], tf.int64, [1, parts - 1])
        # How many parts begin before or at an id, but for the first part, to which all else goes.
        of = tf.raw_ops.UpperBound(sorted_inputs=first, values=flat[tf.newaxis])[0]
        local = flat - tf.gather(tf.constant(gather.starts, tf.int64), of)
        for part, each in enumerate(tf.dynamic_partition(local, of, parts)):
            tf.identity(each, name=_part(_IDS, part))
        places = tf.dynamic_partition(tf.range(tf.size(flat)), of, parts)
        shape = [None, *gather.row]
        rows = [
            tf.compat.v1.placeholder(tf.as_dtype(gather.dtype), shape, name=_part(_ROWS, part))
            for part in range(parts)
        ]
        joined = tf.raw_ops.DynamicStitch(indices=places, data=rows)
        row = tf.constant(gather.row, tf.int32, [len(gather.row)])
        tf.reshape(joined, tf.concat([tf.shape(ids), row], 0), name=_JOINED)
    return graph.as_graph_def()


def _part(what: str, part: int) -> str:
    return f"{what}_{part}"
