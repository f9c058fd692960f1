"""What a member does for the entries of its group: rows are gathered, the rest is a graph; pure."""

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
    """A variable as a member's graph holds it: the node of its handle, its type."""

    placed: Placed
    handle: str
    dtype: int


@dataclass(frozen=True)
class Part:
    """A member's graph, the variables to fill in it, and what entries may ask of it, by name.

    `gathers` are outputs of these signatures that are not the graph's: rows of tables, by alias.
    `computed` are the signatures without them, those that have any other.
    """

    graph: GraphDef
    held: tuple[Held, ...]
    signatures: Mapping[str, Signature]
    gathers: Mapping[str, Mapping[str, Split]]

    @property
    def computed(self) -> dict[str, Signature]:
        found = {}
        for name, signature in self.signatures.items():
            gathered = self.gathers[name].keys()
            inputs = {
                alias: spec
                for alias, spec in signature.inputs.items()
                if alias.partition(".")[0] not in gathered
            }
            outputs = {
                alias: spec for alias, spec in signature.outputs.items() if alias not in gathered
            }
            if outputs:
                found[name] = Signature(name, inputs, outputs)
        return found

    @property
    def tables(self) -> dict[str, Split]:
        """The tables that rows are gathered from, by the variable's name."""
        every = [each for found in self.gathers.values() for each in found.values()]
        return {each.variable.name: each for each in every}


def part_of(cut: Cut, identity: str, member: int) -> Part:
    """The part of one member of the group with this identity."""
    builder = _Builder()
    signatures, gathers = {}, {}
    for name, levels in cut.levels.items():
        for level, uses in enumerate(levels):
            mine = [use for use in uses if is_held(use.placed, member)]
            asked = part_signature(identity, name, level)
            signatures[asked] = builder.signature(asked, uses, mine)
            gathers[asked] = {
                str(number): use.placed
                for number, use in enumerate(uses)
                if use in mine and isinstance(use.placed, Split)
            }
    return Part(builder.graph, tuple(builder.held.values()), signatures, gathers)


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
    def __init__(self) -> None:
        self.graph = GraphDef()
        self.held: dict[str, Held] = {}
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
        if isinstance(use.placed, Split) or name in self._nodes:
            return name
        self._nodes.add(name)
        kinds = asked_kinds(use)
        for place, kind in enumerate(kinds):
            placeholder = self.graph.node.add(name=f"{name}/{place}", op="Placeholder")
            placeholder.attr["dtype"].type = kind
            placeholder.attr["shape"].shape.unknown_rank = True
        self._add_copy(name, use)
        return name

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
        handle = self.graph.node.add(name=held.handle, op="VarHandleOp")
        handle.attr["dtype"].type = held.dtype
        handle.attr["shape"].shape.CopyFrom(tensor_shape.TensorShape(variable.shape).as_proto())
        handle.attr["shared_name"].s = held.handle.encode()
        value = self.graph.node.add(name=f"{held.handle}/value", op="ReadVariableOp")
        value.input.append(held.handle)
        value.attr["dtype"].type = held.dtype
        return held
