"""What lies between named tensors of a graph, and what it needs besides."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework.types_pb2 import DT_RESOURCE

from model_server.servables.batch_ops.bodies import Body, CannotBatch, Point
from model_server.servables.batch_ops.nodes import FRAMES, node_of
from model_server.servables.batch_ops.nodes import definition_of as _definition

_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "_Arg"})
# Larger ones are handed over rather than copied.
_LARGEST_COPY_BYTES = 1024
_FIRST_REFERENCE = 101


@dataclass(frozen=True)
class Cut:
    """A subgraph: its nodes in order, what goes in and comes out, and what it needs besides.

    ``inputs`` differ from request to request; ``captured`` are the same for all: variables,
    tables, constants. ``follows`` are nodes outside which must run before.
    """

    nodes: Sequence[Any]
    inputs: Sequence[Point]
    outputs: Sequence[Point]
    captured: Sequence[Point]
    follows: Sequence[str]
    of_requests: frozenset[str]


def cut(body: Body, inputs: Sequence[Point], outputs: Sequence[Point]) -> Cut:
    """The subgraph that makes these outputs of these inputs.

    Raises CannotBatch where something else of the request reaches it, where an input or output
    has no part in it, and where it is inside control flow of TensorFlow 1.
    """
    nodes, captured, reached = _walk(body, inputs, outputs)
    for point in inputs:
        if point not in reached:
            raise CannotBatch(f"input {body.written(point)} reaches none of the outputs")
    of_requests = _of_requests(body, nodes, inputs)
    for point in outputs:
        if point not in inputs and point.node not in of_requests:
            raise CannotBatch(f"output {body.written(point)} depends on none of the inputs")
    return Cut(
        nodes=[node for node in body.nodes if node.name in nodes],
        inputs=list(inputs),
        outputs=list(outputs),
        captured=captured,
        follows=_follows(body, nodes),
        of_requests=frozenset(of_requests),
    )


def _walk(
    body: Body, inputs: Sequence[Point], outputs: Sequence[Point]
) -> tuple[set[str], list[Point], set[Point]]:
    nodes: set[str] = set()
    captured: list[Point] = []
    waiting, seen = list(outputs), set(outputs)
    while waiting:
        point = waiting.pop()
        if point in inputs:
            continue
        if _is_captured(body, point):
            captured.append(point)
            continue
        if point.node in nodes:
            continue
        nodes.add(point.node)
        node = body.by_name[point.node]
        _check(body, node)
        new = [each for each in body.inputs(node) if each not in seen]
        seen.update(new)
        waiting += new
    return nodes, sorted(captured), seen


def _is_captured(body: Body, point: Point) -> bool:
    """Whether the subgraph gets it from outside, the same for all requests."""
    dtype = body.dtype(point)
    if dtype == DT_RESOURCE or dtype >= _FIRST_REFERENCE:
        return True
    if point.node in body.arguments:
        raise CannotBatch(
            f"argument {point.node} of the {body.where} reaches the subgraph and is not among the"
            " inputs"
        )
    node = body.by_name[point.node]
    if node.op == "Const":
        return bool(node.ByteSize() > _LARGEST_COPY_BYTES)
    if node.op in ("Enter", "RefEnter") and node.attr["is_constant"].b:
        return True
    if node.op in _PLACEHOLDERS:
        raise CannotBatch(
            f"{body.written(point)}, which a request brings, reaches the subgraph and is not among"
            " the inputs"
        )
    return False


def _check(body: Body, node: Any) -> None:
    if node.op in FRAMES:
        raise CannotBatch(
            f"the subgraph reaches over {node.op} {node.name}, where a condition or a loop of"
            " TensorFlow 1 begins or ends"
        )
    definition = _definition(node, body.functions)
    if definition is not None and any(arg.is_ref for arg in definition.input_arg):
        raise CannotBatch(f"{node.op} {node.name} writes to a variable")


def _of_requests(body: Body, nodes: set[str], inputs: Sequence[Point]) -> set[str]:
    """Those of the nodes that need one of the inputs."""
    found: set[str] = set()
    size = -1
    while size != len(found):
        size = len(found)
        for name in nodes - found:
            points = body.inputs(body.by_name[name])
            if any(each in inputs or each.node in found for each in points):
                found.add(name)
    return found


def _follows(body: Body, nodes: set[str]) -> list[str]:
    return sorted(
        {
            node_of(each)
            for name in nodes
            for each in body.by_name[name].input
            if each.startswith("^") and node_of(each) not in nodes
        }
    )
