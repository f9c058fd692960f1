"""A second way through a graph, beside the ops that batch: each request by itself.

A batch fails as a whole, with one member's error for all. On the way beside it each member gets
its own answer. Only what follows an op that batches is there twice: variables, tables and what is
computed before are the same nodes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from model_server.servables.batch_ops.nodes import (
    BATCH,
    BATCH_FUNCTION,
    BATCHING,
    UNBATCH,
    called,
    node_of,
    rename_functions,
    replace_inputs,
)
from model_server.servables.batch_ops.reach import reaching

_PREFIX = "unbatched__"


def add_twin(graph: Any) -> dict[str, str]:
    """Adds the way without batches to a GraphDef; its nodes by those they stand for."""
    functions = {name: _PREFIX + name for name in reaching(graph, BATCHING)}
    nodes = {name: _PREFIX + name for name in _following(graph.node, functions)}
    for node in [each for each in graph.node if each.name in nodes]:
        copy = graph.node.add()
        copy.CopyFrom(node)
        copy.name = nodes[node.name]
        # It names nodes this one is to be placed with, by names of the other way.
        copy.attr.pop("_class", None)
        for number, tensor in enumerate(copy.input):
            copy.input[number] = _renamed(tensor, nodes)
        rename_functions(copy, functions)
        call_directly(copy)
    for function in list(graph.library.function):
        if function.signature.name in functions:
            copy = graph.library.function.add()
            copy.CopyFrom(function)
            copy.signature.name = functions[function.signature.name]
            unbatch(copy, functions)
    return nodes


def unbatch(function: Any, functions: Mapping[str, str]) -> None:
    """Takes ops that batch out of a FunctionDef, and lets it call others in place of functions."""
    tensors: dict[str, str] = {}
    for node in function.node_def:
        tensors |= _tensors_of_direct(node)
        rename_functions(node, functions)
        call_directly(node)
    replace_inputs(function.node_def, tensors)
    for name, tensor in function.ret.items():
        function.ret[name] = tensors.get(tensor, tensor)


def unbatch_all(graph: Any) -> None:
    """Takes all ops that batch out of a GraphDef."""
    for node in graph.node:
        call_directly(node)
    for function in graph.library.function:
        unbatch(function, {})


def call_directly(node: Any) -> None:
    """Makes an op that batches one that does not; others stay."""
    if node.op == BATCH_FUNCTION:
        types = [*node.attr["Tin"].list.type, *_types(node, "Tcaptured")]
        given = _types(node, "Tout")
        name = node.attr["f"].func.name
        _clear(node, "StatefulPartitionedCall")
        node.attr["f"].func.name = name
        node.attr["Tin"].list.type.extend(types)
        node.attr["Tout"].list.type.extend(given)
    elif node.op == BATCH:
        types = _types(node, "T")
        _clear(node, "IdentityN")
        node.attr["T"].list.type.extend(types)
    elif node.op == UNBATCH:
        dtype = node.attr["T"].type
        first = node.input[0]
        controls = [each for each in node.input if each.startswith("^")]
        del node.input[:]
        node.input.extend([first, *controls])
        _clear(node, "Identity")
        node.attr["T"].type = dtype


def _tensors_of_direct(node: Any) -> dict[str, str]:
    """How tensors in a function's body are called once their node does not batch."""
    if node.op == BATCH_FUNCTION:
        count, was, new = len(_types(node, "Tout")), "out_tensors", "output"
    elif node.op == BATCH:
        count, was, new = len(_types(node, "T")), "batched_tensors", "output"
    elif node.op == UNBATCH:
        count, was, new = 1, "unbatched_tensor", "output"
    else:
        return {}
    return {f"{node.name}:{was}:{n}": f"{node.name}:{new}:{n}" for n in range(count)}


def _types(node: Any, name: str) -> list[int]:
    return list(node.attr[name].list.type) if name in node.attr else []


def _clear(node: Any, op: str) -> None:
    node.op = op
    node.attr.clear()


def _following(nodes: Iterable[Any], functions: Mapping[str, str]) -> set[str]:
    """The nodes that batch, and those that need them."""
    users: dict[str, list[str]] = {}
    for node in nodes:
        for tensor in node.input:
            users.setdefault(node_of(tensor), []).append(node.name)
    waiting = [
        node.name
        for node in nodes
        if node.op in BATCHING or not functions.keys().isdisjoint(called(node))
    ]
    found = set(waiting)
    while waiting:
        new = [each for each in users.get(waiting.pop(), ()) if each not in found]
        found.update(new)
        waiting += new
    return found


def _renamed(tensor: str, nodes: Mapping[str, str]) -> str:
    name = node_of(tensor)
    if name not in nodes:
        return tensor
    control = "^" if tensor.startswith("^") else ""
    return control + nodes[name] + tensor.removeprefix("^")[len(name) :]
