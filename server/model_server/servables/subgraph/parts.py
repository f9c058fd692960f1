"""Which part of a graph is to run in batches, and the change of a MetaGraphDef that does it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model_server.servables.batch_ops.bodies import Body, CannotBatch
from model_server.servables.batch_ops.cutting import Cut, cut
from model_server.servables.batch_ops.functions import batch_function, functions_named
from model_server.servables.batch_ops.making import (
    Queue,
    batch_node,
    drop_unused,
    free_function,
    function_of,
    put_in_place,
)
from model_server.servables.batch_ops.nodes import node_of

_INITIALISATIONS = ("saved_model_main_op", "legacy_init_op")


@dataclass(frozen=True)
class Function:
    """All calls of a function, by its name in Python or its full one in the graph."""

    name: str


@dataclass(frozen=True)
class Between:
    """What lies between tensors of the graph, or of the body of a function."""

    inputs: Sequence[str]
    outputs: Sequence[str]
    function: str = ""


Part = Function | Between


def batch_part(meta_graph: Any, part: Part, queue: Queue) -> list[str]:
    """Lets the part run in batches; the functions that are now run so.

    Raises CannotBatch, naming the tensor, node or function that stands against it.
    """
    if isinstance(part, Function):
        return batch_function(meta_graph, part.name, queue)
    graph = meta_graph.graph_def
    places = functions_named(graph, part.function) if part.function else [""]
    return [_batch_between(meta_graph, Body(graph, place), part, queue) for place in places]


def _batch_between(meta_graph: Any, body: Body, part: Between, queue: Queue) -> str:
    if not part.inputs or not part.outputs:
        raise CannotBatch("a subgraph needs inputs and outputs")
    inputs = list(dict.fromkeys(map(body.point, part.inputs)))
    outputs = list(dict.fromkeys(map(body.point, part.outputs)))
    for point in outputs:
        if point in inputs:
            raise CannotBatch(f"{body.written(point)} is an input and an output")
    found = cut(body, inputs, outputs)
    _check_closed(meta_graph, body, found)
    function = function_of(body, found, free_function(body, f"batched_to_{outputs[0].node}"))
    reads = [*map(body.written, inputs), *map(body.written, found.captured)]
    node = batch_node(body.free_name("batched_subgraph"), function, reads, len(inputs))
    queue.write_to(node)
    tensors = put_in_place(body, found, node)
    meta_graph.graph_def.library.function.add().CopyFrom(function)
    if body.function is None:
        for signature in meta_graph.signature_def.values():
            for info in signature.outputs.values():
                # Names of what no node gives, as signatures of initialisations have them, stay.
                if node_of(info.name) in body.by_name:
                    info.name = tensors.get(body.point(info.name), info.name)
    drop_unused(body, found)
    return str(function.signature.name)


def _check_closed(meta_graph: Any, body: Body, found: Cut) -> None:
    """Refuses where something outside reads what is inside, and no output of it."""
    inside = {node.name for node in found.nodes}
    needed = body.before(_last(meta_graph, body))
    for node in [each for each in body.nodes if each.name in needed - inside]:
        for point in body.inputs(node):
            if point.node in found.of_requests and point not in found.outputs:
                raise _leaking(body.written(point), f"{node.op} {node.name}")
    for tensor in _given(meta_graph, body):
        point = body.point(tensor)
        if point.node in found.of_requests and point not in found.outputs:
            raise _leaking(body.written(point), "what is returned")


def _leaking(tensor: str, reader: str) -> CannotBatch:
    return CannotBatch(
        f"the tensors are no cut: {reader} also reads {tensor}, inside the subgraph; name it among"
        " the outputs"
    )


def _given(meta_graph: Any, body: Body) -> list[str]:
    """The tensors that signatures, or the function's callers, get."""
    if body.function is not None:
        return list(body.function.ret.values())
    names = [
        info.name
        for signature in meta_graph.signature_def.values()
        for info in signature.outputs.values()
    ]
    return [name for name in names if node_of(name) in body.by_name]


def _last(meta_graph: Any, body: Body) -> list[str]:
    """The nodes for whose sake others run."""
    last = [node_of(each) for each in _given(meta_graph, body)]
    if body.function is not None:
        return last + list(body.function.control_ret.values())
    for name in _INITIALISATIONS:
        if name in meta_graph.collection_def:
            last += map(node_of, meta_graph.collection_def[name].node_list.value)
    return last
