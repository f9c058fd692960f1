"""From a SavedModel on disk to the plan of a group; no variable's value is read."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.saved_model import loader_impl

from model_server.servables.sharding.checkpoint.checkpoint_index import (
    BrokenIndex,
    CheckpointIndex,
    read_index,
)
from model_server.servables.sharding.graph.flattening import flatten
from model_server.servables.sharding.graph.readers import FlatGraph, Reader
from model_server.servables.sharding.graph.restored import Source, sources
from model_server.servables.sharding.plan.shard_plan import ShardPlan, Variable, make_plan

_INDEX = Path("variables") / "variables.index"
_SERVING_TAGS = frozenset({"serve"})


class CannotPlan(Exception):
    """The SavedModel cannot be planned; the text says what of it is wrong."""


def plan_of(folder: Path, shards: int, tags: frozenset[str] = _SERVING_TAGS) -> ShardPlan:
    """The plan of a group for the SavedModel in a version folder.

    Raises:
        CannotPlan: it is none, is damaged, or holds what cannot be looked into.
    """
    return read_plan(folder, shards, tags)[0]


def read_plan(folder: Path, shards: int, tags: frozenset[str]) -> tuple[ShardPlan, CheckpointIndex]:
    """The same, and the index that it was made of. Raises CannotPlan."""
    try:
        meta_graph = loader_impl.SavedModelLoader(str(folder)).get_meta_graph_def_from_tags(tags)
        index = read_index((folder / _INDEX).read_bytes())
        return make_plan(variables_of(meta_graph, index), shards), index
    except BrokenIndex as error:
        raise CannotPlan(f"{folder / _INDEX}: {error}") from error
    except (OSError, ValueError, RuntimeError) as error:
        raise CannotPlan(f"{folder}: {error}") from error


def variables_of(meta_graph: Any, index: CheckpointIndex) -> list[Variable]:
    """The variables that signatures read, with their values' places and what is done with them.

    Raises:
        ValueError: a variable has no value in the checkpoint, or the graph cannot be looked into.
    """
    found = sources(meta_graph)
    flat = flatten(meta_graph)
    graph = FlatGraph(flat.graph, flat.output_nodes)
    # One that no checkpoint fills is filled by the initialisation, as paths of assets are.
    nodes = [node for node in graph.variables() if node.name in found]
    read = [(node, graph.readers(node.name)) for node in nodes]
    return [_variable(node, found, index, readers) for node, readers in read if readers]


def _variable(
    node: Any, found: Mapping[str, Source], index: CheckpointIndex, readers: tuple[Reader, ...]
) -> Variable:
    source = found[node.name]
    stored = index.tensors.get(source.key)
    if stored is None:
        raise ValueError(f"the checkpoint has no {source.key}, which {node.name} gets its value of")
    shape = _sliced(source.slice) if source.slice else stored.shape
    return Variable(
        name=node.name,
        key=source.key,
        shape=shape,
        bytes=math.prod(shape) * (tf.as_dtype(stored.dtype).size or 0) or stored.bytes,
        dtype=stored.dtype,
        hindrance=_hindrance(stored.dtype, readers),
        inside=next((reader.node for reader in readers if reader.is_inside), ""),
        slice=source.slice,
    )


def _hindrance(dtype: int, readers: tuple[Reader, ...]) -> str:
    if not tf.as_dtype(dtype).size:
        return "its rows have no fixed width"
    return next((reader.hindrance for reader in readers if reader.hindrance), "")


def _sliced(slice_: str) -> tuple[int, ...]:
    """The shape in TensorFlow's description of a slice, such as ``100003 16 0,33335:0,16``."""
    *whole, parts = slice_.split(" ")
    sizes = zip(whole, parts.split(":"), strict=True)
    return tuple(int(size) if part == "-" else int(part.split(",")[1]) for size, part in sizes)
