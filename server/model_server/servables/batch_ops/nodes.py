"""Nodes of graphs and of function bodies: their attributes, outputs, and who computes a tensor.

A tensor is ``node:number`` in a graph and ``node:output:number``, or an argument's name, in the
body of a function. Source: TensorFlow's ``graph.proto``, ``function.proto`` and ``op_def.proto``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework.op_def_pb2 import OpDef
from tensorflow.python.framework import op_def_registry

BATCH_FUNCTION = "BatchFunction"
BATCH = "Batch"
UNBATCH = "Unbatch"
BATCHING = frozenset({BATCH_FUNCTION, BATCH, UNBATCH})
CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
# Control flow of TensorFlow 1.
FRAMES = frozenset(
    prefix + name
    for prefix in ("", "Ref")
    for name in ("Switch", "Merge", "Enter", "Exit", "NextIteration")
)


@dataclass(frozen=True)
class Output:
    """One tensor a node gives: the output of its operation, the number in it, and its DataType."""

    name: str
    number: int
    dtype: int


def node_of(tensor: str) -> str:
    """The node of a tensor, or of a control input."""
    return tensor.removeprefix("^").partition(":")[0]


def value_of(node: Any, name: str) -> Any:
    """An attribute's AttrValue; the operation's default, as SavedModels leave those out.

    None where there is neither. Does not write to the node, as reading its map would.
    """
    if name in node.attr:
        return node.attr[name]
    definition = op_def_registry.get(node.op)
    for attr in definition.attr if definition is not None else ():
        if attr.name == name and attr.HasField("default_value"):
            return attr.default_value
    return None


def definition_of(node: Any, functions: Mapping[str, Any]) -> OpDef | None:
    """What the operation, or the function that is called as one, takes and gives."""
    if node.op in functions:
        signature: OpDef = functions[node.op].signature
        return signature
    definition: OpDef | None = op_def_registry.get(node.op)
    return definition


def outputs_of(node: Any, functions: Mapping[str, Any]) -> list[Output]:
    """All tensors of a node in order. Raises ValueError for an operation there is none of."""
    definition = definition_of(node, functions)
    if definition is None:
        raise ValueError(f"there is no operation {node.op}, of node {node.name}")
    return [
        Output(arg.name, number, dtype)
        for arg in definition.output_arg
        for number, dtype in enumerate(_dtypes(node, arg))
    ]


def _dtypes(node: Any, arg: Any) -> list[int]:
    if arg.type_list_attr:
        return list(value_of(node, arg.type_list_attr).list.type)
    dtype = arg.type or value_of(node, arg.type_attr).type
    return [dtype] * (value_of(node, arg.number_attr).i if arg.number_attr else 1)


def all_nodes(graph: Any) -> Iterator[tuple[str, Any]]:
    """Every node of a GraphDef and of its functions, each with the function's name or nothing."""
    for node in graph.node:
        yield "", node
    for function in graph.library.function:
        for node in function.node_def:
            yield function.signature.name, node


def called(node: Any) -> Iterator[str]:
    """The names of functions a node calls, as its operation or by an attribute."""
    yield node.op
    for value in node.attr.values():
        if value.HasField("func"):
            yield value.func.name
        elif value.HasField("list"):
            yield from (each.name for each in value.list.func)


def rename_functions(node: Any, names: Mapping[str, str]) -> None:
    """Lets a node call others in place of these functions."""
    node.op = names.get(node.op, node.op)
    for value in node.attr.values():
        for function in [value.func] if value.HasField("func") else value.list.func:
            function.name = names.get(function.name, function.name)


def replace_inputs(nodes: Any, tensors: Mapping[str, str]) -> None:
    """Lets nodes read others in place of these tensors and control inputs."""
    for node in nodes:
        for number, tensor in enumerate(node.input):
            if tensor in tensors:
                node.input[number] = tensors[tensor]
