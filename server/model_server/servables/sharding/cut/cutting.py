"""A flat graph cut where it uses variables that lie elsewhere; pure protobuf.

An entry runs the graph up to the inputs of such uses, asks the members that hold the variables, and
runs on with their answers. Uses that need the answers of others come a level later.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

from tensorflow.core.framework.graph_pb2 import GraphDef

from model_server.servables.sharding.cut.rewriting import Rewriting
from model_server.servables.sharding.graph.flattening import FlatModel, needed_tensors
from model_server.servables.sharding.graph.nesting import node_of, tensor_name
from model_server.servables.sharding.graph.operations import (
    input_types,
    output_type,
    runs_once,
    writes,
)
from model_server.servables.sharding.graph.readers import FlatGraph, Reader
from model_server.servables.sharding.plan.shard_plan import Copied, Placed, ShardPlan

# A signature that TensorFlow 2 adds, of what fills tables and assets.
_INITIALISATION = "__saved_model_init_op"


@dataclass(frozen=True)
class Use:
    """A node that uses a variable which may lie elsewhere.

    `definition` takes the variable as its inputs `places`, and `inputs`, the names of tensors, as
    the others. Kinds are numbers of ``tensorflow.DataType``.
    """

    definition: Any
    placed: Placed
    places: tuple[int, ...]
    inputs: tuple[str, ...]
    input_kinds: tuple[int, ...]
    output_kind: int

    @property
    def node(self) -> str:
        return str(self.definition.name)

    @property
    def output(self) -> str:
        """The tensor that it gives."""
        return f"{self.node}:0"


Levels = tuple[tuple[Use, ...], ...]


@dataclass(frozen=True)
class Cut:
    """An entry's graph, and for each signature its uses of variables that lie elsewhere, by level.

    All of a level can be asked for at once, when those of the levels before it are known: their
    nodes are placeholders in the graph. `outputs` has the tensor that each output of a signature is
    the same as.
    """

    graph: GraphDef
    levels: Mapping[str, Levels]
    outputs: Mapping[str, str]


class CannotCut(ValueError):
    """The graph uses a variable in a way that cannot be asked for from another member."""


def cut(flat: FlatModel, meta_graph: Any, plan: ShardPlan) -> Cut:
    """The cut of a flattened graph along a plan.

    Raises:
        CannotCut: with the variable and the node that stands in the way.
    """
    if plan.forces:
        raise CannotCut(
            f"{plan.forces}; that needs the engine tf, which a group has only with --shard_tf_ports"
        )
    graph = FlatGraph(flat.graph, flat.output_nodes)
    scissors = _Scissors(graph, plan)
    wanted = {
        name: [flat.outputs[info.name] for info in signature.outputs.values()]
        for name, signature in sorted(meta_graph.signature_def.items())
    }
    for name, outputs in wanted.items():
        if name != _INITIALISATION:
            scissors.check_changes_nothing(outputs)
    levels = {name: scissors.levels(outputs) for name, outputs in wanted.items()}
    entry = GraphDef(versions=flat.graph.versions, library=flat.graph.library)
    entry.node.extend(scissors.nodes((*needed_tensors(meta_graph), *flat.outputs.values())))
    return Cut(entry, levels, flat.outputs)


class _Scissors:
    """A graph, its uses of variables that lie elsewhere, and itself without them."""

    def __init__(self, graph: FlatGraph, plan: ShardPlan) -> None:
        self._graph = graph
        self._elsewhere = [each for each in plan.placed if not isinstance(each, Copied)]
        self._uses = {
            reader.node: self._use(placed, reader)
            for placed in self._elsewhere
            for reader in graph.readers(placed.variable.name)
        }
        shapes = {each.variable.name: each.variable.shape for each in plan.placed}
        rewriting = Rewriting(graph, shapes, frozenset(self._uses))
        self._nodes = {node.name: node for each in graph.nodes for node in rewriting.nodes(each)}

    def levels(self, outputs: Iterable[str]) -> Levels:
        """The uses that these outputs need, in the order in which they can be asked for."""
        needs: dict[str, set[str]] = {}
        waiting = list(self._uses_below(outputs))
        while waiting:
            name = waiting.pop()
            if name not in needs:
                needs[name] = self._uses_below(self._uses[name].inputs)
                self._check_runs_twice(name)
                waiting.extend(needs[name])
        sorter = TopologicalSorter(needs)
        sorter.prepare()
        found = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready())
            found.append(tuple(self._uses[name] for name in ready))
            sorter.done(*ready)
        return tuple(found)

    def check_changes_nothing(self, outputs: Iterable[str]) -> None:
        """Raises CannotCut where these outputs need that a variable is changed.

        Each member would change a copy of its own, or what others read meanwhile.
        """
        inputs = [each for use in self._uses.values() for each in use.inputs]
        for name in sorted(self._below([*outputs, *inputs])):
            if writes(self._nodes[name].op):
                raise CannotCut(f"{self._nodes[name].op} ({name}) changes a variable")

    def nodes(self, wanted: Iterable[str]) -> list[Any]:
        """The entry's nodes: what is wanted and what uses need, with placeholders for the uses.

        Raises CannotCut where one of them needs a variable that lies elsewhere in any other way.
        """
        inputs = [name for use in self._uses.values() for name in use.inputs]
        needed = self._below([*wanted, *inputs])
        for name in needed & self._flows.keys():
            raise CannotCut(f"{name} needs {self._flows[name]}, which lies on other members")
        return [node for name, node in self._nodes.items() if name in needed]

    @cached_property
    def _flows(self) -> dict[str, str]:
        names = [each.variable.name for each in self._elsewhere]
        return {node: name for name in names for node in self._graph.flow(name)}

    def _use(self, placed: Placed, reader: Reader) -> Use:
        node = self._graph.nodes[reader.node]
        data = [tensor_name(name) for name in node.input if not name.startswith("^")]
        typed = zip(data, input_types(node), strict=True)
        others = [each for place, each in enumerate(typed) if place not in reader.places]
        kind = output_type(node)
        if kind is None:
            raise CannotCut(
                f"{node.op} ({node.name}), which uses {placed.variable.name}, has not"
                " just one output"
            )
        inputs = tuple(name for name, _ in others)
        kinds = tuple(kind for _, kind in others)
        return Use(node, placed, reader.places, inputs, kinds, kind)

    def _uses_below(self, tensors: Iterable[str]) -> set[str]:
        return self._below(tensors) & self._uses.keys()

    def _below(self, tensors: Iterable[str]) -> set[str]:
        """The nodes that tensors need; those of uses need nothing, as placeholders do."""
        waiting, found = [node_of(each) for each in tensors], set()
        while waiting:
            name = waiting.pop()
            if name in self._nodes and name not in found:
                found.add(name)
                waiting.extend(map(node_of, self._nodes[name].input))
        return found

    def _check_runs_twice(self, use: str) -> None:
        """What is before a use runs again after it, and must give the same then."""
        for name in sorted(self._below(self._uses[use].inputs)):
            node = self._nodes[name]
            if runs_once(node.op):
                raise CannotCut(f"{node.op} ({name}) before {use} may give another value each time")
