"""A SavedModel's signatures as one graph without function calls, which can be looked into.

The work is done by the function optimizer of TensorFlow's Grappler; variables stay variables, and
the tensors that signatures name keep their names.
"""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.grappler import tf_optimizer

from model_server.servables.sharding.nesting import node_of

_INITIALISATIONS = ("saved_model_main_op", "legacy_init_op")
_BESIDE_THE_GRAPH = ("collection_def", "signature_def", "object_graph_def")


def flatten(meta_graph: Any) -> GraphDef:
    """The graph that signatures and the initialisation of a MetaGraphDef need, functions inlined.

    Raises:
        ValueError: TensorFlow cannot make it; the text is its own.
    """
    kept = type(meta_graph)()
    kept.CopyFrom(meta_graph)
    for field in _BESIDE_THE_GRAPH:
        kept.ClearField(field)
    kept.collection_def["train_op"].node_list.value.extend(_needed_tensors(meta_graph))
    config = tf.compat.v1.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    # By default tiny graphs are left alone, and functions that are called once as well.
    rewriting.min_graph_nodes = -1
    rewriting.optimizers.append("function")
    rewriting.function_optimization = RewriterConfig.AGGRESSIVE
    rewriting.meta_optimizer_iterations = RewriterConfig.ONE
    try:
        flat = tf_optimizer.OptimizeGraph(config, kept)
    except tf.errors.OpError as error:
        raise ValueError(f"its graph cannot be flattened: {error.message}") from error
    return _pruned(flat, map(node_of, _needed_tensors(meta_graph)))


def _pruned(flat: GraphDef, wanted: Iterable[str]) -> GraphDef:
    """The same graph with nothing but what some nodes need, in the same order."""
    nodes = {node.name: node for node in flat.node}
    waiting, needed = list(wanted), set()
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in needed:
            needed.add(name)
            waiting.extend(map(node_of, nodes[name].input))
    pruned = GraphDef(versions=flat.versions, library=flat.library)
    pruned.node.extend(node for node in flat.node if node.name in needed)
    return pruned


def _needed_tensors(meta_graph: Any) -> Iterable[str]:
    """What signatures take and give and what initialises tables, as names of tensors and nodes."""
    names = {
        info.name
        for signature in meta_graph.signature_def.values()
        for info in (*signature.inputs.values(), *signature.outputs.values())
    }
    for name in _INITIALISATIONS:
        if name in meta_graph.collection_def:
            names.update(meta_graph.collection_def[name].node_list.value)
    return sorted(names)
