"""Batch and Unbatch made one BatchFunction of what lies between them.

In a pair, a member whose client asks for fewer outputs, or whose part fails, lets the others wait
until a timeout. One op that runs a function has none of that, and gives the same answers.
"""

from typing import Any

from model_server.servables.batch_ops.bodies import Body, CannotBatch, Point
from model_server.servables.batch_ops.cutting import cut
from model_server.servables.batch_ops.making import (
    batch_node,
    drop_unused,
    free_function,
    function_of,
    put_in_place,
)
from model_server.servables.batch_ops.nodes import BATCH, UNBATCH, replace_inputs, value_of

_SETTINGS = (
    "num_batch_threads",
    "max_batch_size",
    "max_enqueued_batches",
    "batch_timeout_micros",
    "allowed_batch_sizes",
)


def join_pairs(meta_graph: Any) -> list[str]:
    """Replaces the pairs of a MetaGraphDef; why some could not be, in words."""
    graph = meta_graph.graph_def
    left: list[str] = []
    places = ["", *(each.signature.name for each in graph.library.function)]
    for function in places:
        body = Body(graph, function)
        for name in [node.name for node in body.nodes if node.op == BATCH]:
            try:
                _join(meta_graph, Body(graph, function), name)
            except CannotBatch as error:
                left.append(f"Batch {name} stays as it is: {error}")
    return left


def _join(meta_graph: Any, body: Body, name: str) -> None:
    batch = body.by_name[name]
    count = len(value_of(batch, "T").list.type)
    unbatches = [
        node
        for node in body.nodes
        if node.op == UNBATCH and body.point(node.input[1]) == Point(name, count)
    ]
    if not unbatches:
        raise CannotBatch("no Unbatch belongs to it")
    outputs = list(dict.fromkeys(body.point(node.input[0]) for node in unbatches))
    part = cut(body, _read(body, batch, count, outputs), outputs)
    function = function_of(body, part, free_function(body, f"__batched_{name}"))
    rows = [batch.input[point.number] for point in part.inputs]
    inputs = [*rows, *map(body.written, part.captured)]
    node = batch_node(body.free_name(f"{name}/joined"), function, inputs, len(rows))
    for setting in _SETTINGS:
        node.attr[setting].CopyFrom(value_of(batch, setting))
    node.input.extend(each for each in batch.input if each.startswith("^"))
    put_in_place(body, part, node)
    meta_graph.graph_def.library.function.add().CopyFrom(function)
    for unbatch in unbatches:
        _forward(body, unbatch)
    drop_unused(body, part)


def _read(body: Body, batch: Any, count: int, outputs: list[Point]) -> list[Point]:
    """Those of the batched tensors that the outputs need."""
    needed = body.before([point.node for point in outputs], stop=frozenset({BATCH}))
    read = set(outputs)
    for name in needed & body.by_name.keys():
        if body.by_name[name].op != BATCH:
            read.update(body.inputs(body.by_name[name]))
    return [Point(batch.name, n) for n in range(count) if Point(batch.name, n) in read]


def _forward(body: Body, unbatch: Any) -> None:
    """Makes an Unbatch hand on the first thing it reads."""
    dtype, kept = value_of(unbatch, "T").type, [unbatch.input[0]]
    kept += [each for each in unbatch.input if each.startswith("^")]
    del unbatch.input[:]
    unbatch.input.extend(kept)
    unbatch.attr.clear()
    unbatch.attr["T"].type = dtype
    unbatch.op = "Identity"
    if body.function is not None:
        names = {f"{unbatch.name}:unbatched_tensor:0": f"{unbatch.name}:output:0"}
        replace_inputs(body.nodes, names)
        for name, tensor in body.function.ret.items():
            body.function.ret[name] = names.get(tensor, tensor)
