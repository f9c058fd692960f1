"""What a member computes for the entries of its group: a graph around its share; pure protobuf."""

from collections.abc import Mapping
from dataclasses import dataclass

from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.types_pb2 import DT_RESOURCE
from tensorflow.python.framework import tensor_shape

from model_server.servables.dtypes import dtype_of
from model_server.servables.sharding.cut.cutting import Cut, Use
from model_server.servables.sharding.graph.operations import input_types
from model_server.servables.sharding.plan.shard_plan import Copied, Placed, Split, Variable
from model_server.servables.signature import PART_PREFIX, Signature, TensorSpec


@dataclass(frozen=True)
class Held:
    """A variable, or its rows, as a member holds it: the node of its handle, its type."""

    placed: Placed
    handle: str
    dtype: int

    def rows_on(self, member: int) -> range | None:
        """The rows that lie on a member; None for all of it."""
        if not isinstance(self.placed, Split):
            return None
        return range(self.placed.bounds[member], self.placed.bounds[member + 1])


@dataclass(frozen=True)
class Part:
    """A member's graph, the variables to fill in it, and what entries may ask of it, by name."""

    graph: GraphDef
    held: tuple[Held, ...]
    signatures: Mapping[str, Signature]


def part_of(cut: Cut, identity: str, member: int) -> Part:
    """The part of one member of the group with this identity."""
    builder = _Builder(member)
    signatures = {}
    for name, levels in cut.levels.items():
        for level, uses in enumerate(levels):
            mine = [use for use in uses if is_held(use.placed, member)]
            asked = part_signature(identity, name, level)
            signatures[asked] = builder.signature(asked, uses, mine)
    return Part(builder.graph, tuple(builder.held.values()), signatures)


def part_signature(identity: str, signature: str, level: int) -> str:
    """The name by which members ask each other. Those of another identity do not know it."""
    return f"{PART_PREFIX}{identity}/{signature}/{level}"


def is_held(placed: Placed, member: int) -> bool:
    """Whether a member holds any of a variable that is not copied to all."""
    return not isinstance(placed, Copied) and placed.bytes_on(member) > 0


def asked_inputs(use: Use) -> tuple[str, ...]:
    """The tensors that a member is sent for a use: of a gather of rows, just the rows' numbers."""
    return use.inputs[:1] if isinstance(use.placed, Split) else use.inputs


def asked_kinds(use: Use) -> tuple[int, ...]:
    """Their types, as numbers of ``tensorflow.DataType``."""
    return use.input_kinds[: len(asked_inputs(use))]


def input_alias(number: int, place: int) -> str:
    """What the input of a level's use is called between members."""
    return f"{number}.{place}"


class _Builder:
    def __init__(self, member: int) -> None:
        self.graph = GraphDef()
        self.held: dict[str, Held] = {}
        self._member = member
        self._nodes: set[str] = set()

    def signature(self, name: str, uses: tuple[Use, ...], mine: list[Use]) -> Signature:
        """The uses of a level that this member has, numbered as in the level."""
        inputs, outputs = {}, {}
        for number, use in enumerate(uses):
            if use not in mine:
                continue
            node = self._add(use)
            outputs[str(number)] = TensorSpec(f"{node}:0", dtype_of(use.output_kind))
            for place, kind in enumerate(asked_kinds(use)):
                inputs[input_alias(number, place)] = TensorSpec(f"{node}/{place}:0", dtype_of(kind))
        return Signature(name, inputs, outputs)

    def _add(self, use: Use) -> str:
        name = f"use/{use.node}"
        if name in self._nodes:
            return name
        self._nodes.add(name)
        kinds = asked_kinds(use)
        for place, kind in enumerate(kinds):
            placeholder = self.graph.node.add(name=f"{name}/{place}", op="Placeholder")
            placeholder.attr["dtype"].type = kind
            placeholder.attr["shape"].shape.unknown_rank = True
        if isinstance(use.placed, Split):
            self._add_gather(name, use, kinds[0])
        else:
            self._add_copy(name, use)
        return name

    def _add_gather(self, name: str, use: Use, ids: int) -> None:
        held = self._held(use)
        node = self.graph.node.add(name=name, op="ResourceGather")
        node.input.extend([held.handle, f"{name}/0"])
        node.attr["dtype"].type = held.dtype
        node.attr["Tindices"].type = ids

    def _add_copy(self, name: str, use: Use) -> None:
        held = self._held(use)
        kinds = input_types(use.definition)
        others = iter(range(len(kinds)))
        node = self.graph.node.add()
        node.CopyFrom(use.definition)
        node.name, node.device = name, ""
        node.attr.pop("_class", None)
        del node.input[:]
        for place, kind in enumerate(kinds):
            if place not in use.places:
                node.input.append(f"{name}/{next(others)}")
            else:
                node.input.append(held.handle if kind == DT_RESOURCE else f"{held.handle}/value")

    def _held(self, use: Use) -> Held:
        variable = use.placed.variable
        if variable.name not in self.held:
            self.held[variable.name] = self._new(use.placed, variable)
        return self.held[variable.name]

    def _new(self, placed: Placed, variable: Variable) -> Held:
        held = Held(placed, f"held/{variable.name}", variable.dtype)
        rows = held.rows_on(self._member)
        shape = variable.shape if rows is None else (len(rows), *variable.shape[1:])
        handle = self.graph.node.add(name=held.handle, op="VarHandleOp")
        handle.attr["dtype"].type = held.dtype
        handle.attr["shape"].shape.CopyFrom(tensor_shape.TensorShape(shape).as_proto())
        handle.attr["shared_name"].s = held.handle.encode()
        value = self.graph.node.add(name=f"{held.handle}/value", op="ReadVariableOp")
        value.input.append(held.handle)
        value.attr["dtype"].type = held.dtype
        return held
