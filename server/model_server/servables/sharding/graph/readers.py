"""Who reads each variable of a flat graph, and whether by rows only; pure protobuf.

A table can be split by rows if all that ever happens to it is that rows are gathered.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow.python.framework.tensor_util import MakeNdarray

from model_server.servables.sharding.graph.nesting import depths, node_of

VARIABLES = frozenset({"VarHandleOp", "VariableV2", "Variable"})
# What hands a variable or its value on as it is.
_FORWARDS = frozenset({"Identity", "ReadVariableOp", "Switch", "RefSwitch", "RefIdentity"})
# Into a loop it is handed on unchanged as well, if each turn sees the same.
_INTO_LOOPS = "Enter"
# These say nothing of the value.
_ASIDE = frozenset({"VarIsInitializedOp", "IsVariableInitialized", "NoOp"})
# Of a variable whose shape is known they give a constant.
SHAPES = frozenset({"Shape", "VariableShape"})
_FILLS = frozenset({"AssignVariableOp", "Assign"})
_GATHERS_BY_AXIS = frozenset({"GatherV2"})
_GATHERS = frozenset({"ResourceGather", "Gather"})


@dataclass(frozen=True)
class Reader:
    """A node that uses a variable's value.

    `places` are the inputs by which it gets it. `hindrance` says why its use needs the whole value;
    empty for a gather of rows. `is_inside` means that it runs only when a condition or a loop of
    the graph wants it.
    """

    node: str
    places: tuple[int, ...]
    hindrance: str
    is_inside: bool


class FlatGraph:
    """The nodes of a graph without function calls, and what their outputs go to.

    `wanted` are the nodes that signatures have their outputs of. Raises ValueError from the
    constructor for a graph that goes in a circle.
    """

    def __init__(self, graph: Any, wanted: Collection[str] = ()) -> None:
        self.nodes: Mapping[str, Any] = {node.name: node for node in graph.node}
        self._wanted = wanted
        self._consumers: dict[str, list[tuple[Any, int]]] = defaultdict(list)
        for node in graph.node:
            for place, name in enumerate(node.input):
                if not name.startswith("^"):
                    self._consumers[node_of(name)].append((node, place))
        self._depths = depths(self.nodes)

    def variables(self) -> list[Any]:
        """The nodes that stand for variables, by name."""
        found = (node for node in self.nodes.values() if node.op in VARIABLES)
        return sorted(found, key=lambda node: str(node.name))

    def readers(self, variable: str) -> tuple[Reader, ...]:
        """All that use a variable's value, by name; none for one that is only filled."""
        found = defaultdict(list)
        for name in self.flow(variable):
            for node, place in self._consumers[name]:
                if self._is_reader(node, place):
                    found[node.name].append(place)
        return tuple(self._reader(self.nodes[name], found[name]) for name in sorted(found))

    def flow(self, variable: str, into_loops: bool = True) -> frozenset[str]:
        """The nodes that hand a variable or its value on as it is, itself one of them.

        One that clients get as an output reads it.
        """
        waiting, found = [variable], {variable}
        while waiting:
            for node, place in self._consumers[waiting.pop()]:
                if node.op == _INTO_LOOPS and not into_loops:
                    continue
                if self._forwards(node, place) and node.name not in found:
                    found.add(node.name)
                    waiting.append(node.name)
        return frozenset(found)

    def _forwards(self, node: Any, place: int) -> bool:
        if node.op == _INTO_LOOPS and not node.attr["is_constant"].b:
            return False
        hands_on = node.op in _FORWARDS or node.op == _INTO_LOOPS
        return hands_on and place == 0 and node.name not in self._wanted

    def _is_reader(self, node: Any, place: int) -> bool:
        if self._forwards(node, place) or (node.op in _FILLS | SHAPES and place == 0):
            return False
        return node.op not in _ASIDE

    def _reader(self, node: Any, places: list[int]) -> Reader:
        hindrances = [self._hindrance(node, place) for place in places]
        return Reader(
            node.name,
            tuple(sorted(places)),
            next((each for each in hindrances if each), ""),
            self._depths[node.name] > 0,
        )

    def _hindrance(self, node: Any, place: int) -> str:
        if place != 0 or node.op not in _GATHERS | _GATHERS_BY_AXIS:
            return f"{node.op} ({node.name}) needs all of it"
        if node.attr["batch_dims"].i:
            return f"{node.op} ({node.name}) gathers by batches"
        if node.op in _GATHERS_BY_AXIS and self._constant(node.input[2]) != 0:
            return f"{node.op} ({node.name}) does not gather along the first axis"
        return ""

    def _constant(self, tensor: str) -> object:
        node = self.nodes.get(node_of(tensor))
        while node is not None and node.op == "Identity":
            node = self.nodes.get(node_of(node.input[0]))
        if node is None or node.op != "Const":
            return None
        return MakeNdarray(node.attr["value"].tensor).item()
