"""Calls of one function of a SavedModel made batches of it."""

import re
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.types_pb2 import DT_RESOURCE

from model_server.servables.batch_ops.bodies import Body, CannotBatch, Point
from model_server.servables.batch_ops.making import Queue, batch_node, free_function
from model_server.servables.batch_ops.nodes import CALLS, all_nodes
from model_server.servables.batch_ops.reach import called_functions

# How tf.function names what it traces: __inference_<name>_<number>.
_TRACED = re.compile(r"__(?:inference|forward)_(?P<name>.+)_\d+")
_FORWARDS = frozenset({"Identity", "ReadVariableOp", "Const", "Cast"})


@dataclass(frozen=True)
class _Split:
    """Which arguments of a function are rows, and which are the same for all requests."""

    rows: tuple[int, ...]
    captured: tuple[int, ...]

    @property
    def order(self) -> tuple[int, ...]:
        return self.rows + self.captured


def batch_function(meta_graph: Any, name: str, queue: Queue) -> list[str]:
    """Lets all calls of a function of this Python name, or full name, run in batches.

    Returns the functions that now do. Raises CannotBatch if nothing calls such a function.
    """
    graph = meta_graph.graph_def
    callees = _callees(graph) & called_functions(graph)
    names = sorted(each for each in callees if _is_named(each, name))
    if not names:
        traced = sorted({_python_name(each) for each in callees})
        raise CannotBatch(
            f"nothing calls a function {name} in the model; functions that are called:"
            f" {', '.join(traced) or 'none'}"
        )
    return [made for each in names for made in _batch_calls(graph, each, queue)]


def functions_named(graph: Any, name: str) -> list[str]:
    """The functions that a GraphDef calls with this Python name, or full name, sorted.

    Several traces of one may be there. Raises CannotBatch if there is none.
    """
    every = called_functions(graph)
    found = sorted(each for each in every if _is_named(each, name))
    if not found:
        there = sorted({_python_name(each) for each in every})
        raise CannotBatch(
            f"there is no function {name} in the model; there are: {', '.join(there) or 'none'}"
        )
    return found


def _callees(graph: Any) -> set[str]:
    return {node.attr["f"].func.name for _, node in all_nodes(graph) if node.op in CALLS}


def _is_named(function: str, name: str) -> bool:
    return name in (function, _python_name(function))


def _python_name(function: str) -> str:
    found = _TRACED.fullmatch(function)
    return found["name"] if found else function


def _batch_calls(graph: Any, name: str, queue: Queue) -> list[str]:
    made: dict[_Split, FunctionDef] = {}
    for place in dict.fromkeys(where for where, node in all_nodes(graph) if _calls(node, name)):
        body = Body(graph, place)
        for node in [each for each in body.nodes if _calls(each, name)]:
            split = _split(body, node)
            if split not in made:
                made[split] = _permuted(body, name, split)
                graph.library.function.add().CopyFrom(made[split])
            _turn(body, node, made[split], split, queue)
    return [each.signature.name for each in made.values()]


def _calls(node: Any, name: str) -> bool:
    return node.op in CALLS and node.attr["f"].func.name == name


def _split(body: Body, node: Any) -> _Split:
    points = body.inputs(node)
    captured = tuple(n for n, each in enumerate(points) if _is_captured(body, each))
    rows = tuple(n for n in range(len(points)) if n not in captured)
    if not rows:
        raise CannotBatch(
            f"{node.op} {node.name} takes nothing of the request: there are no rows to batch"
        )
    return _Split(rows, captured)


def _is_captured(body: Body, point: Point) -> bool:
    """Whether all requests bring the same: variables, tables, and constants."""
    if body.dtype(point) == DT_RESOURCE:
        return True
    node = body.by_name.get(point.node)
    if node is None or node.op not in _FORWARDS:
        return False
    return all(_is_captured(body, each) for each in body.inputs(node))


def _permuted(body: Body, name: str, split: _Split) -> FunctionDef:
    """A copy of a function that takes its rows first."""
    original, function = body.functions[name], FunctionDef()
    function.CopyFrom(original)
    function.signature.name = free_function(body, f"{name}__batched")
    del function.signature.input_arg[:]
    function.arg_attr.clear()
    function.resource_arg_unique_id.clear()
    for new, old in enumerate(split.order):
        function.signature.input_arg.add().CopyFrom(original.signature.input_arg[old])
        if old in original.arg_attr:
            function.arg_attr[new].CopyFrom(original.arg_attr[old])
            function.arg_attr[new].attr.pop("_output_shapes", None)
        if old in original.resource_arg_unique_id:
            function.resource_arg_unique_id[new] = original.resource_arg_unique_id[old]
    for node in function.node_def:
        # They may be those of one request.
        node.attr.pop("_output_shapes", None)
    return function


def _turn(body: Body, node: Any, function: Any, split: _Split, queue: Queue) -> None:
    """Makes a call a batch, with what it had to wait for."""
    data = [each for each in node.input if not each.startswith("^")]
    controls = [each for each in node.input if each.startswith("^")]
    count = len(node.attr["Tout"].list.type)
    made = batch_node(node.name, function, [data[n] for n in split.order], len(split.rows))
    made.input.extend(controls)
    queue.write_to(made)
    node.CopyFrom(made)
    if body.function is None:
        return
    names = {f"{node.name}:output:{n}": f"{node.name}:out_tensors:{n}" for n in range(count)}
    for each in body.nodes:
        for number, tensor in enumerate(each.input):
            each.input[number] = names.get(tensor, tensor)
    for name, tensor in body.function.ret.items():
        body.function.ret[name] = names.get(tensor, tensor)
