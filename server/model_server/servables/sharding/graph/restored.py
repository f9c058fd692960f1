"""Where the checkpoint of a SavedModel has the value of each variable; pure protobuf."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow.python.framework.tensor_util import MakeNdarray

from model_server.servables.saved_model.variables import restore_of
from model_server.servables.sharding.graph.nesting import node_of


@dataclass(frozen=True)
class Source:
    """The key of a value, and the slice of it for a part of a partitioned variable."""

    key: str
    slice: str = ""


def sources(meta_graph: Any) -> dict[str, Source]:
    """The source of each variable that the restore operation fills, by the variable's node.

    Raises:
        ValueError: nothing fills a variable that signatures read.
    """
    restore = restore_of(meta_graph)
    if restore is None:
        return dict(_filled({node.name: node for node in meta_graph.graph_def.node}))
    if restore.lost:
        raise ValueError(
            f"nothing fills {', '.join(restore.lost)}; Keras 3 models are to be written by"
            " model.export()"
        )
    return {each.node: Source(each.key) for each in (*restore.reached, *restore.copies)}


def _filled(nodes: Mapping[str, Any]) -> Iterator[tuple[str, Source]]:
    """What a graph in the form of TensorFlow 1 fills: variable, assignment, restored tensor."""
    for node in nodes.values():
        if node.op not in {"Assign", "AssignVariableOp"}:
            continue
        value = node.input[1]
        while (giver := nodes.get(node_of(value))) is not None and giver.op == "Identity":
            value = giver.input[0]
        if giver is None or giver.op != "RestoreV2":
            continue
        place = int(value.partition(":")[2] or 0)
        names, slices = (_strings(nodes, giver.input[each]) for each in (1, 2))
        yield node_of(node.input[0]), Source(names[place], slices[place])


def _strings(nodes: Mapping[str, Any], tensor: str) -> list[str]:
    found = MakeNdarray(nodes[node_of(tensor)].attr["value"].tensor)
    return [text.decode() for text in found]
