"""Which functions come to an op that batches, and through what: a loop, another batch."""

from collections.abc import Callable, Iterable
from typing import Any

from model_server.servables.batch_ops.nodes import (
    BATCH_FUNCTION,
    FRAMES,
    all_nodes,
    called,
    node_of,
)

_LOOPS = frozenset({"While", "StatelessWhile", "_While"})


def reaching(graph: Any, ops: Iterable[str]) -> frozenset[str]:
    """The functions of a GraphDef whose bodies, or those they call, have one of these ops."""
    wanted = set(ops)
    callers: dict[str, set[str]] = {}
    for function, node in all_nodes(graph):
        for name in called(node):
            callers.setdefault(name, set()).add(function)
    return _closure(wanted, lambda name: callers.get(name, ())) - wanted - {""}


def in_loops(graph: Any) -> frozenset[str]:
    """The functions that run in a loop, however deep."""
    return _below(graph, lambda node: node.op in _LOOPS)


def in_batches(graph: Any) -> frozenset[str]:
    """The functions that run for a batch, however deep."""
    return _below(graph, lambda node: node.op == BATCH_FUNCTION)


def called_functions(graph: Any) -> frozenset[str]:
    """The functions that nodes of the GraphDef itself come to; others are traces nobody uses."""
    return _below(graph, lambda _node: True, of_graph=True)


def is_in_frame(graph: Any, name: str) -> bool:
    """Whether a node of the GraphDef itself is in a loop of TensorFlow 1."""
    nodes = {node.name: node for node in graph.node}

    def before(name: str) -> Iterable[str]:
        node = nodes.get(name)
        return map(node_of, node.input) if node is not None and node.op != "Exit" else ()

    return any(
        each in nodes and nodes[each].op in FRAMES & {"Enter", "RefEnter"}
        for each in _closure({name}, before)
    )


def _below(graph: Any, is_top: Callable[[Any], bool], *, of_graph: bool = False) -> frozenset[str]:
    bodies = {each.signature.name: each.node_def for each in graph.library.function}
    top = {
        name
        for function, node in all_nodes(graph)
        if is_top(node) and not (of_graph and function)
        for name in called(node)
        if name in bodies
    }
    return _closure(
        top,
        lambda name: (each for node in bodies[name] for each in called(node) if each in bodies),
    )


def _closure(first: set[str], after: Callable[[str], Iterable[str]]) -> frozenset[str]:
    found, waiting = set(first), list(first)
    while waiting:
        for name in after(waiting.pop()):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return frozenset(found)
