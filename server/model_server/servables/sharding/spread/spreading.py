"""A flat graph with its variables on all members of a group, as one entry runs it; pure protobuf.

Split tables become a variable for each member's rows. All that hands a table on, into conditions
and loops too, exists once for each of them, so that a gather runs exactly where it would.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.framework.types_pb2 import DT_INT64
from tensorflow.python.framework import op_def_registry, tensor_shape

from model_server.servables.sharding.cut.cutting import CannotCut
from model_server.servables.sharding.cut.rewriting import HANDLE, Rewriting, constant
from model_server.servables.sharding.graph.flattening import FlatModel
from model_server.servables.sharding.graph.nesting import node_of
from model_server.servables.sharding.graph.operations import input_types, writes
from model_server.servables.sharding.graph.readers import SHAPES, FlatGraph
from model_server.servables.sharding.plan.shard_plan import ShardPlan, Split, Whole
from model_server.servables.sharding.spread.scattering import Scattered, scattered_nodes
from model_server.servables.sharding.spread.tasks import device_of


@dataclass(frozen=True)
class Home:
    """Which member an entry is, and under what name all of them keep the model's variables."""

    member: int
    container: str


@dataclass(frozen=True)
class Spread:
    """The graph of an entry, and the handle of each variable that this member fills, by name."""

    graph: GraphDef
    handles: Mapping[str, str]


def spread(flat: FlatModel, wanted: Iterable[str], plan: ShardPlan, home: Home) -> Spread:
    """The graph of a member as an entry.

    Args:
        flat: the model.
        wanted: the tensors that requests want.
        plan: where its variables lie.
        home: which member this is.

    Raises:
        CannotCut: requests change a variable.
    """
    spreading = _Spreading(flat, plan, home.member)
    spreading.check_changes_nothing(wanted)
    graph = GraphDef(versions=flat.graph.versions, library=flat.graph.library)
    graph.node.extend(spreading.nodes())
    for node in graph.node:
        # Parts have others, which TensorFlow finds by itself.
        node.attr.pop("_output_shapes", None)
        _keep_in(home.container, node)
    return Spread(graph, spreading.handles({node.name for node in graph.node}))


class _Spreading:
    def __init__(self, flat: FlatModel, plan: ShardPlan, member: int) -> None:
        self._graph = FlatGraph(flat.graph, flat.output_nodes)
        self._plan = plan
        self._member = member
        shapes = {each.variable.name: each.variable.shape for each in plan.placed}
        self._rewriting = Rewriting(self._graph, shapes, frozenset())
        split = [each for each in plan.placed if isinstance(each, Split)]
        self._flows = {
            name: each for each in split for name in self._graph.flow(each.variable.name)
        }
        self._gathers = {
            reader.node: each
            for each in split
            for reader in self._graph.readers(each.variable.name)
        }

    def check_changes_nothing(self, wanted: Iterable[str]) -> None:
        """Raises CannotCut: each member would change its own copy, or what others read."""
        nodes = self._graph.nodes
        waiting, found = [node_of(each) for each in wanted], set()
        while waiting:
            name = waiting.pop()
            if name in nodes and name not in found:
                found.add(name)
                waiting.extend(map(node_of, nodes[name].input))
        for name in sorted(found):
            if writes(nodes[name].op):
                raise CannotCut(f"{nodes[name].op} ({name}) changes a variable")

    def nodes(self) -> Iterator[Any]:
        """All nodes, each on the task that runs it."""
        tasks = self._tasks_of_whole()
        for name, node in self._graph.nodes.items():
            if name in self._flows:
                yield from self._of_parts(name, self._flows[name])
            elif name in self._gathers:
                yield from self._gathered(node, self._gathers[name])
            elif node.op in SHAPES and node_of(node.input[0]) in self._flows:
                yield self._shape(node, self._flows[node_of(node.input[0])])
            else:
                for made in self._rewriting.nodes(name):
                    yield self._placed(made, tasks.get(name, self._member))

    def handles(self, names: set[str]) -> dict[str, str]:
        """The handles of what this member holds, among nodes of these names."""
        found = {}
        for each in self._plan.placed:
            name = each.variable.name
            handle = f"{name}{HANDLE}" if self._graph.nodes[name].op != "VarHandleOp" else name
            if isinstance(each, Split):
                handle = _of_part(handle, self._member)
            if each.bytes_on(self._member) and handle in names:
                found[name] = handle
        return found

    def _tasks_of_whole(self) -> dict[str, int]:
        """The members of nodes that see a variable which lies whole on one."""
        found: dict[str, int] = {}
        for each in self._plan.placed:
            if isinstance(each, Whole):
                name = each.variable.name
                readers = (reader.node for reader in self._graph.readers(name))
                found |= dict.fromkeys((*self._graph.flow(name), *readers), each.member)
        return found

    def _placed(self, made: Any, member: int) -> Any:
        made.device = device_of(member)
        made.input[:] = [self._after(each) for each in made.input]
        if made.op == "Placeholder":
            # Clients may send other shapes, as to any SavedModel.
            made.attr["shape"].shape.Clear()
            made.attr["shape"].shape.unknown_rank = True
        return made

    def _after(self, tensor: str) -> str:
        """An input; what waits for a split table waits for the first part of it."""
        split = self._flows.get(node_of(tensor))
        if split is None or not tensor.startswith("^"):
            return tensor
        return _of_part(tensor, _holders(split)[0])

    def _of_parts(self, name: str, split: Split) -> Iterator[Any]:
        """A node that hands a table on, for each part of it."""
        for member in _holders(split):
            for made in self._rewriting.nodes(name):
                own = {*self._flows, name + HANDLE}
                made.name = _of_part(made.name, member)
                made.device = device_of(member)
                made.input[:] = [
                    _of_part(each, member) if node_of(each) in own else each for each in made.input
                ]
                if made.op == "VarHandleOp":
                    rows = split.bounds[member + 1] - split.bounds[member]
                    shape = tensor_shape.TensorShape([rows, *split.variable.shape[1:]])
                    made.attr["shape"].shape.CopyFrom(shape.as_proto())
                    made.attr["shared_name"].s = made.name.encode()
                yield made

    def _gathered(self, node: Any, split: Split) -> Iterator[Any]:
        holders = _holders(split)
        data = [each for each in node.input if not each.startswith("^")]
        waits = [self._after(each) for each in node.input if each.startswith("^")]
        gather = Scattered(
            node=node.name,
            ids=data[1],
            ids_type=input_types(node)[1],
            starts=[split.bounds[member] for member in holders],
            row=split.variable.shape[1:],
            dtype=split.variable.dtype,
        )
        for made in scattered_nodes(gather, waits):
            made.device = device_of(self._member)
            yield made
        for part, member in enumerate(holders):
            made = NodeDef()
            made.CopyFrom(node)
            made.name, made.device = gather.rows(part), device_of(member)
            made.attr.pop("_class", None)
            made.attr["Tindices"].type = DT_INT64
            made.input[:] = [_of_part(data[0], member), gather.local(part), *data[2:]]
            yield made

    def _shape(self, node: Any, split: Split) -> Any:
        made = constant(node, split.variable.shape)
        made.device = device_of(self._member)
        # Only what waits for something of a loop is in it.
        made.input.append(self._after(f"^{node_of(node.input[0])}"))
        return made


def _holders(split: Split) -> list[int]:
    members = range(len(split.bounds) - 1)
    return [each for each in members if split.bounds[each] < split.bounds[each + 1]]


def _of_part(tensor: str, member: int) -> str:
    node, colon, output = tensor.partition(":")
    return f"{node}/rows_of_{member}{colon}{output}"


def _keep_in(container: str, node: Any) -> None:
    """Models have resources of the same names: each keeps its own."""
    definition = op_def_registry.get(node.op)
    if definition is not None and any(each.name == "container" for each in definition.attr):
        node.attr["container"].s = container.encode()
