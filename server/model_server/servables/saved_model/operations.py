"""Which operations a SavedModel's signatures need inside functions, but TensorFlow has not.

TensorFlow looks at a function only when it first runs: without this, such a version would load,
take the place of the one before, and fail with every request.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from model_server.servables.batch_ops.nodes import called, node_of

_INITIALISATIONS = frozenset({"saved_model_main_op", "legacy_init_op"})


def missing_operations(meta_graph: Any, known: Callable[[str], bool]) -> list[str]:
    """The operations of functions that signatures reach which are not ``known``, sorted.

    Functions that nothing reaches may have any: they are never run.
    """
    functions = {each.signature.name: each for each in meta_graph.graph_def.library.function}
    operations: set[str] = set()
    seen: set[str] = set()
    waiting = [name for node in _reached(meta_graph) for name in called(node)]
    while waiting:
        name = waiting.pop()
        if name in functions and name not in seen:
            seen.add(name)
            nodes = functions[name].node_def
            operations.update(node.op for node in nodes)
            waiting += [each for node in nodes for each in called(node)]
    return sorted(name for name in operations if name not in functions and not known(name))


def _reached(meta_graph: Any) -> Iterator[Any]:
    """The nodes of the graph that signatures and initialisations run."""
    nodes: Mapping[str, Any] = {node.name: node for node in meta_graph.graph_def.node}
    waiting = [
        node_of(info.name)
        for signature in meta_graph.signature_def.values()
        for info in signature.outputs.values()
    ]
    for name in _INITIALISATIONS & meta_graph.collection_def.keys():
        waiting += map(node_of, meta_graph.collection_def[name].node_list.value)
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in nodes and name not in seen:
            seen.add(name)
            waiting += map(node_of, nodes[name].input)
            yield nodes[name]
