"""Single nodes of a flat graph as an entry has them; pure protobuf."""

from collections.abc import Mapping
from typing import Any

from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import dtypes, tensor_util

from model_server.servables.sharding.graph.nesting import node_of
from model_server.servables.sharding.graph.operations import output_type
from model_server.servables.sharding.graph.readers import SHAPES, FlatGraph

# A variable of references becomes a resource, which can be filled in one way.
_OF_REFERENCES = frozenset({"VariableV2", "Variable"})
_WITHOUT_REFERENCES = {"RefSwitch": "Switch", "RefIdentity": "Identity"}
HANDLE = "/handle"


class Rewriting:
    """Knows the variables by name with their shapes, and the nodes whose values are fed."""

    def __init__(
        self, graph: FlatGraph, shapes: Mapping[str, tuple[int, ...]], fed: frozenset[str]
    ) -> None:
        self._graph = graph
        self._shapes = {
            node: shape
            for name, shape in shapes.items()
            for node in graph.flow(name, into_loops=False)
        }
        self._fed = fed

    def nodes(self, name: str) -> list[Any]:
        """What takes the place of a node: usually one like it."""
        node = self._graph.nodes[name]
        if name in self._fed:
            return [_placeholder(node)]
        if node.op in SHAPES and (held := self._shapes.get(node_of(node.input[0]))) is not None:
            return [constant(node, held)]
        if node.op in _OF_REFERENCES:
            return _resource(node)
        kept = NodeDef()
        kept.CopyFrom(node)
        kept.device = ""
        # It may name a node that is no longer there.
        kept.attr.pop("_class", None)
        if name in self._shapes:
            kept.op = _WITHOUT_REFERENCES.get(node.op, node.op)
        del kept.input[:]
        kept.input.extend(each for each in node.input if not self._is_idle(each))
        return [kept]

    def _is_idle(self, tensor: str) -> bool:
        """Whether it only asks to wait for a variable that is read, or for a value that is fed.

        Functions have such edges between all that they read and all that they give.
        """
        return tensor.startswith("^") and node_of(tensor) in self._shapes.keys() | self._fed


def _placeholder(node: Any) -> Any:
    made = NodeDef(name=node.name, op="Placeholder")
    made.attr["dtype"].type = output_type(node) or 0
    made.attr["shape"].shape.unknown_rank = True
    return made


def constant(node: Any, shape: tuple[int, ...]) -> Any:
    """The shape of a variable, as a node that asks for it gives it."""
    made = NodeDef(name=node.name, op="Const")
    kind = node.attr["out_type"].type or int(dtypes.int32.as_datatype_enum)
    made.attr["dtype"].type = kind
    made.attr["value"].tensor.CopyFrom(tensor_util.make_tensor_proto(shape, dtypes.as_dtype(kind)))
    return made


def _resource(node: Any) -> list[Any]:
    handle = NodeDef(name=node.name + HANDLE, op="VarHandleOp")
    for name in ("dtype", "shape", "container"):
        handle.attr[name].CopyFrom(node.attr[name])
    handle.attr["shared_name"].s = node.attr["shared_name"].s or node.name.encode()
    value = NodeDef(name=node.name, op="ReadVariableOp", input=[handle.name])
    value.attr["dtype"].CopyFrom(node.attr["dtype"])
    return [handle, value]
