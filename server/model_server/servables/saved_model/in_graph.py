"""SavedModels that batch inside their graphs: what is done to them before they are loaded."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.framework import op_def_registry

from model_server.options.cpus import CPUS
from model_server.servables.batch_ops.nodes import BATCHING, FRAMES, all_nodes
from model_server.servables.batch_ops.pairs import join_pairs
from model_server.servables.batch_ops.places import part_callers
from model_server.servables.batch_ops.queues import Limits, mend_queues
from model_server.servables.batch_ops.reach import in_loops, is_in_frame
from model_server.servables.batch_ops.twin import add_twin

_log = logging.getLogger(__name__)

_IN_THE_CALLER = -1
_SINGLE_THREADED = "SINGLE_THREADED_EXECUTOR"
# As many requests as a server has at hand at most, by default.
_MOST_ROWS = 4096


def has_batching(meta_graph: Any) -> bool:
    """Whether something in a MetaGraphDef batches."""
    return any(node.op in BATCHING for _, node in all_nodes(meta_graph.graph_def))


@dataclass(frozen=True)
class Prepared:
    """What was done: which nodes stand for which without batch, and if pairs of ops are left."""

    alone: Mapping[str, str]
    has_pairs: bool


def prepare(meta_graph: Any, owner: str) -> Prepared:
    """Makes a MetaGraphDef safe for concurrent requests.

    ``owner`` is what names of queues begin with. Raises ServingError, INVALID_ARGUMENT, for
    settings that cannot be; FAILED_PRECONDITION if queues cannot be told apart.
    """
    part_callers(meta_graph.graph_def)
    left = join_pairs(meta_graph)
    for why in left:
        _log.warning("%s: %s", owner, why)
    for change in mend_queues(meta_graph.graph_def, owner, Limits(CPUS, _MOST_ROWS)):
        _log.info("%s: %s", owner, change)
    return Prepared(add_twin(meta_graph.graph_def), bool(left))


def session_config_for(meta_graph: Any, config: Any) -> Any:
    """The ConfigProto for a model that batches, in place of that of others.

    By the single-threaded executor each caller goes on by itself after its batch. A model with a
    loop around the batch is faster by the other; so are those it refuses.
    """
    changed = config_pb2.ConfigProto()
    changed.CopyFrom(config)
    experimental = changed.experimental
    in_the_caller = config.inter_op_parallelism_threads == _IN_THE_CALLER
    if experimental.executor_type == _SINGLE_THREADED and not in_the_caller:
        # The threads of a pool would all wait for batches that nobody is left to fill.
        _log.warning(
            "inter_op_parallelism_threads is -1 and not %d for a model that batches in its graph:"
            " with the single-threaded executor the threads could wait for each other for ever",
            config.inter_op_parallelism_threads,
        )
        changed.inter_op_parallelism_threads = _IN_THE_CALLER
        changed.use_per_session_threads = False
        del changed.session_inter_op_thread_pool[:]
    elif not experimental.executor_type and in_the_caller and _suits_single_thread(meta_graph):
        experimental.executor_type = _SINGLE_THREADED
    return changed


def _suits_single_thread(meta_graph: Any) -> bool:
    graph = meta_graph.graph_def
    loops = in_loops(graph)
    if tf.config.list_physical_devices("GPU"):
        return False
    return not any(
        node.op in FRAMES
        or _has_reference(node)
        or (
            node.op in BATCHING
            and (function in loops or (not function and is_in_frame(graph, node.name)))
        )
        for function, node in all_nodes(graph)
    )


def _has_reference(node: Any) -> bool:
    definition = op_def_registry.get(node.op)
    return definition is not None and any(arg.is_ref for arg in definition.output_arg)


def without_batches(signatures: Mapping[str, Any], nodes: Mapping[str, str]) -> dict[str, Any]:
    """The same SignatureDefs, with outputs that come by the nodes without batch."""
    changed: dict[str, Any] = {}
    for name, signature in signatures.items():
        changed[name] = type(signature)()
        changed[name].CopyFrom(signature)
        for info in changed[name].outputs.values():
            node, colon, number = info.name.partition(":")
            info.name = nodes.get(node, node) + colon + number
    return changed
