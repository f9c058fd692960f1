"""A SavedModel's signatures as one graph without function calls, which can be looked into.

The work is done by the function optimizer of TensorFlow's Grappler; variables stay variables.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
from tensorflow.python.grappler import tf_optimizer

from model_server.servables.sharding.graph.nesting import node_of, tensor_name

_INITIALISATIONS = ("saved_model_main_op", "legacy_init_op")
_BESIDE_THE_GRAPH = ("collection_def", "signature_def", "object_graph_def")


@dataclass(frozen=True)
class FlatModel:
    """A graph without function calls, and where in it the tensors are that signatures name.

    `outputs` has the tensor that each output is the same as; inputs have their own names.
    """

    graph: GraphDef
    outputs: Mapping[str, str]

    @property
    def output_nodes(self) -> frozenset[str]:
        """The nodes that signatures have their outputs of."""
        return frozenset(map(node_of, self.outputs.values()))


def flatten(meta_graph: Any) -> FlatModel:
    """What signatures and the initialisation of a MetaGraphDef need, functions inlined.

    Raises:
        ValueError: TensorFlow cannot make it; the text is its own.
    """
    kept = type(meta_graph)()
    kept.CopyFrom(meta_graph)
    for field in _BESIDE_THE_GRAPH:
        kept.ClearField(field)
    needed, outputs = needed_tensors(meta_graph), _outputs(meta_graph)
    kept.collection_def["train_op"].node_list.value.extend((*needed, *outputs))
    config = tf.compat.v1.ConfigProto()
    rewriting = config.graph_options.rewrite_options
    # By default tiny graphs are left alone, and functions that are called once as well.
    rewriting.min_graph_nodes = -1
    rewriting.optimizers.append("function")
    rewriting.function_optimization = RewriterConfig.AGGRESSIVE
    rewriting.meta_optimizer_iterations = RewriterConfig.ONE
    try:
        inlined = tf_optimizer.OptimizeGraph(config, kept)
    except tf.errors.OpError as error:
        raise ValueError(f"its graph cannot be flattened: {error.message}") from error
    resolved = _resolve_bundles(inlined, outputs)
    return FlatModel(_pruned(inlined, map(node_of, (*needed, *resolved.values()))), resolved)


def needed_tensors(meta_graph: Any) -> list[str]:
    """What signatures take and what initialises tables and assets, by name."""
    signatures = meta_graph.signature_def.values()
    names = {info.name for each in signatures for info in each.inputs.values()}
    for name in _INITIALISATIONS:
        if name in meta_graph.collection_def:
            names.update(meta_graph.collection_def[name].node_list.value)
    names.update(asset.tensor_info.name for asset in meta_graph.asset_file_def)
    return sorted(names)


def _outputs(meta_graph: Any) -> list[str]:
    signatures = meta_graph.signature_def.values()
    return sorted({info.name for each in signatures for info in each.outputs.values()})


def _resolve_bundles(graph: GraphDef, outputs: Iterable[str]) -> dict[str, str]:
    """Takes away the nodes that inlining leaves in the place of calls; what outputs are then."""
    bundles = {node.name: list(node.input) for node in graph.node if node.op == "IdentityN"}

    def resolved(tensor: str) -> str:
        while not tensor.startswith("^") and node_of(tensor) in bundles:
            tensor = bundles[node_of(tensor)][int(tensor.partition(":")[2] or 0)]
        return tensor

    for node in graph.node:
        node.input[:] = [resolved(each) for each in node.input]
    return {name: tensor_name(resolved(name)) for name in outputs}


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
