"""A subgraph made a function of its own that is run for a batch, in its old place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import op_def_registry

from model_server.servables.batch_ops.bodies import Body, CannotBatch, Point
from model_server.servables.batch_ops.cutting import Cut
from model_server.servables.batch_ops.nodes import BATCH_FUNCTION, node_of

_TURNS = frozenset({"NextIteration", "RefNextIteration"})
_ARGUMENT = "batched_argument_"
_CAPTURED = "captured_argument_"


@dataclass(frozen=True)
class Queue:
    """How a subgraph is batched: attributes of BatchFunction; sizes are rows.

    With a timeout of 0 whatever waits runs as soon as a thread is free.
    """

    threads: int = 1
    max_size: int = 64
    timeout_micros: int = 0
    max_enqueued: int = 100
    allowed_sizes: tuple[int, ...] = ()

    def write_to(self, node: Any) -> None:
        """Sets the attributes of a NodeDef."""
        node.attr["num_batch_threads"].i = self.threads
        node.attr["max_batch_size"].i = self.max_size
        node.attr["batch_timeout_micros"].i = self.timeout_micros
        node.attr["max_enqueued_batches"].i = self.max_enqueued
        node.attr["allowed_batch_sizes"].list.i.extend(self.allowed_sizes)
        node.attr["enable_large_batch_splitting"].b = not self.allowed_sizes


def batch_node(name: str, function: Any, inputs: Sequence[str], batched: int) -> NodeDef:
    """A BatchFunction of this FunctionDef whose first ``batched`` arguments are rows."""
    node = NodeDef(name=name, op=BATCH_FUNCTION)
    node.input.extend(inputs)
    node.attr["f"].func.name = function.signature.name
    types = [arg.type for arg in function.signature.input_arg]
    node.attr["Tin"].list.type.extend(types[:batched])
    # Also where there are none: TensorFlow takes no default.
    node.attr["Tcaptured"].list.type.extend(types[batched:])
    node.attr["Tcaptured"].list.SetInParent()
    node.attr["Tout"].list.type.extend(arg.type for arg in function.signature.output_arg)
    return node


def free_function(body: Body, name: str) -> str:
    """A name for a function, like this one, that none has."""
    name, count = name.replace("/", "_"), 0
    while (candidate := f"{name}_{count}" if count else name) in body.functions:
        count += 1
    return candidate


def function_of(body: Body, part: Cut, name: str) -> FunctionDef:
    """The subgraph as a function: inputs, then what is captured, to outputs."""
    function = FunctionDef()
    function.signature.name = name
    names: dict[Point, str] = {}
    for prefix, points in ((_ARGUMENT, part.inputs), (_CAPTURED, part.captured)):
        for number, point in enumerate(points):
            names[point] = f"{prefix}{number}"
            arg = function.signature.input_arg.add(name=names[point])
            arg.type = body.base_dtype(point)
    inside = {node.name for node in part.nodes}
    for node in part.nodes:
        copy = function.node_def.add()
        copy.CopyFrom(node)
        for attribute in ("_output_shapes", "_class"):
            copy.attr.pop(attribute, None)
        controls = [each for each in node.input if each.startswith("^") and node_of(each) in inside]
        del copy.input[:]
        copy.input.extend(names.get(each) or body.within(each) for each in body.inputs(node))
        copy.input.extend(controls)
        definition = op_def_registry.get(node.op)
        function.signature.is_stateful |= definition is None or definition.is_stateful
    for number, point in enumerate(part.outputs):
        arg = function.signature.output_arg.add(name=f"batched_output_{number}")
        arg.type = body.base_dtype(point)
        function.ret[arg.name] = names.get(point) or body.within(point)
    return function


def put_in_place(body: Body, part: Cut, node: NodeDef) -> dict[Point, str]:
    """Adds the node that runs the subgraph; others read its outputs, whose names are returned.

    Raises CannotBatch if one of its inputs needs its outputs.
    """
    node.input.extend(f"^{name}" for name in part.follows)
    shapes = [_shape_of(body, point) for point in part.outputs]
    body.nodes.add().CopyFrom(node)
    # From here on they read what the new node gives.
    tensors: dict[Point, str] = {}
    for number, (point, shape) in enumerate(zip(part.outputs, shapes, strict=True)):
        tensors[point] = _written(body, node, "out_tensors", number)
        if shape is not None:
            tensors[point] = _ensured(body, node, tensors[point], shape)
    inside = {each.name for each in part.nodes}
    made = {each for tensor in tensors.values() if (each := node_of(tensor)) != node.name}
    readers = [
        each for each in body.nodes if each.name not in inside | made and each.name != node.name
    ]
    _redirect(body, readers, tensors, {f"^{name}": f"^{node.name}" for name in inside})
    body.by_name = {each.name: each for each in body.nodes}
    if node.name in body.before([node_of(each) for each in node.input], stop=_TURNS):
        raise CannotBatch(
            f"the tensors are no cut of the {body.where}: an input of the subgraph is made of one"
            " of its outputs"
        )
    return tensors


def _written(body: Body, node: Any, output: str, number: int) -> str:
    return (
        f"{node.name}:{output}:{number}" if body.function is not None else f"{node.name}:{number}"
    )


def _redirect(
    body: Body, readers: Iterable[Any], tensors: dict[Point, str], controls: dict[str, str]
) -> None:
    for reader in readers:
        for number, tensor in enumerate(reader.input):
            if tensor.startswith("^"):
                reader.input[number] = controls.get(tensor, tensor)
            elif (point := body.point(tensor)) in tensors:
                reader.input[number] = tensors[point]
    if body.function is not None:
        for name, tensor in body.function.ret.items():
            body.function.ret[name] = tensors.get(body.point(tensor), tensor)


def _shape_of(body: Body, point: Point) -> Any:
    """The shape a node says its output has, with any number of rows; None if it says nothing."""
    node = body.by_name.get(point.node)
    if node is None or "_output_shapes" not in node.attr:
        return None
    shapes = node.attr["_output_shapes"].list.shape
    if point.number >= len(shapes) or shapes[point.number].unknown_rank:
        return None
    shape = type(shapes[point.number])()
    shape.CopyFrom(shapes[point.number])
    if not shape.dim:
        raise CannotBatch(f"output {body.written(point)} is a scalar and has no rows")
    shape.dim[0].size = -1
    return shape


def _ensured(body: Body, node: Any, tensor: str, shape: Any) -> str:
    """A tensor that shape inference knows the shape of, which it does not of a batch's outputs."""
    ensuring = body.nodes.add()
    ensuring.name = f"{node.name}/shape_{tensor.rpartition(':')[2]}"
    ensuring.op = "EnsureShape"
    ensuring.input.append(tensor)
    ensuring.attr["shape"].shape.CopyFrom(shape)
    ensuring.attr["T"].type = node.attr["Tout"].list.type[int(tensor.rpartition(":")[2])]
    return _written(body, ensuring, "output", 0)


def drop_unused(body: Body, part: Cut) -> None:
    """Deletes the subgraph's old nodes that nothing reads, from the body of a function."""
    if body.function is None:
        return
    old = {node.name for node in part.nodes}
    wanted = [node.name for node in body.nodes if node.name not in old]
    wanted += map(node_of, body.function.ret.values())
    wanted += body.function.control_ret.values()
    needed = body.before(wanted)
    kept = [each for each in body.nodes if each.name in needed or each.name not in old]
    if len(kept) != len(body.nodes):
        copies = [NodeDef.FromString(each.SerializeToString()) for each in kept]
        del body.nodes[:]
        body.nodes.extend(copies)
        body.by_name = {each.name: each for each in body.nodes}
