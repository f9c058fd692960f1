"""How many conditions and loops are around each node of a flat graph; pure protobuf.

TensorFlow lowers them to primitives that hand on dead tensors: what is inside one may not run, so
that its tensors cannot be asked for. Source: "Dynamic Control Flow in Large-Scale Machine Learning"
(Yu et al., 2018).
"""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

_SWITCHES = frozenset({"Switch", "RefSwitch"})
_MERGES = frozenset({"Merge", "RefMerge"})
_ENTERS = frozenset({"Enter", "RefEnter"})
_EXITS = frozenset({"Exit", "RefExit"})
# The only edges that lead back are theirs.
_TURNS = frozenset({"NextIteration", "RefNextIteration"})


def node_of(tensor: str) -> str:
    """The node of a tensor, or of a control input."""
    return tensor.removeprefix("^").partition(":")[0]


def tensor_name(tensor: str) -> str:
    """A tensor's full name; nodes leave out the number of a first output."""
    return tensor if ":" in tensor else f"{tensor}:0"


def depths(nodes: Mapping[str, Any]) -> dict[str, int]:
    """The number of conditions and loops around each node, by name; 0 for what always runs.

    Raises:
        ValueError: the graph has a circle that is no loop.
    """
    inputs = {name: _inputs(nodes, node) for name, node in nodes.items()}
    forward = {
        name: [each for each in found if nodes[each].op not in _TURNS]
        for name, found in inputs.items()
    }
    within: dict[str, int] = {}
    try:
        for name in TopologicalSorter(forward).static_order():
            before = (within[each] + _opens(nodes, inputs, each) for each in forward[name])
            within[name] = max(before, default=0) - _closes(nodes, inputs, name)
    except CycleError as error:
        raise ValueError(f"its graph goes in a circle: {', '.join(error.args[1])}") from error
    return within


def _inputs(nodes: Mapping[str, Any], node: Any) -> list[str]:
    return [found for found in map(node_of, node.input) if found in nodes]


def _opens(nodes: Mapping[str, Any], inputs: Mapping[str, list[str]], name: str) -> bool:
    op = nodes[name].op
    return op in _ENTERS or (op in _SWITCHES and not _is_of_loop(nodes, inputs[name]))


def _closes(nodes: Mapping[str, Any], inputs: Mapping[str, list[str]], name: str) -> bool:
    op = nodes[name].op
    return op in _EXITS or (op in _MERGES and not _is_of_loop(nodes, inputs[name]))


def _is_of_loop(nodes: Mapping[str, Any], inputs: list[str]) -> bool:
    """A loop's own switch asks its condition, its own merge the turn before."""
    return any(nodes[each].op in _TURNS | {"LoopCond"} for each in inputs)
