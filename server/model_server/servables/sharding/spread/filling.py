"""The variables of one member, in TensorFlow's server of its own process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from model_server.servables.sharding.spread.tasks import JOB, device_of

_RESOURCES = frozenset({"VarHandleOp", "HashTableV2"})


@dataclass(frozen=True)
class Stored:
    """A variable by its handle, and where a checkpoint has its value, in TensorFlow's words."""

    handle: str
    prefix: str
    key: str
    slice: str
    dtype: int


class OwnResources:
    """What the graph of an entry keeps on the entry's own task."""

    def __init__(self, target: str, config: Any, member: int, graph: Any) -> None:
        self._target = target
        self._config = tf.compat.v1.ConfigProto()
        self._config.CopyFrom(config)
        # No other member needs to be there.
        self._config.device_filters.append(f"/job:{JOB}/task:{member}")
        self._device = device_of(member)
        self._graph = tf.compat.v1.GraphDef(versions=graph.versions)
        own = (each for each in graph.node if each.device == self._device)
        self._graph.node.extend(each for each in own if each.op in _RESOURCES and not each.input)

    def fill(self, values: Sequence[Stored]) -> None:
        """Reads variables one after the other, straight into their memory.

        Raises:
            tf.errors.OpError: a checkpoint is damaged.
        """
        with self._session() as session:
            for each in values:
                (value,) = tf.raw_ops.RestoreV2(
                    prefix=each.prefix,
                    tensor_names=[each.key],
                    shape_and_slices=[each.slice],
                    dtypes=[tf.as_dtype(each.dtype)],
                )
                handle = session.graph.get_tensor_by_name(f"{each.handle}:0")
                session.run(tf.raw_ops.AssignVariableOp(resource=handle, value=value))

    def destroy(self) -> None:
        """Gives the memory back."""
        with self._session() as session:
            session.run(
                [
                    tf.raw_ops.DestroyResourceOp(
                        resource=session.graph.get_tensor_by_name(f"{each.name}:0"),
                        ignore_lookup_error=True,
                    )
                    for each in self._graph.node
                ]
            )

    @contextmanager
    def _session(self) -> Iterator[Any]:
        with tf.Graph().as_default() as graph, tf.device(self._device):
            tf.import_graph_def(self._graph, name="")
            with tf.compat.v1.Session(self._target, graph, self._config) as session:
                yield session
