"""Functions that batch, each with one caller, so that a queue belongs to one place of a graph.

A batch takes what is captured, such as variables, from its last member alone. Two callers of one
function may hand it different ones.
"""

from typing import Any

from tensorflow.core.framework.function_pb2 import FunctionDef

from model_server.core.errors import Code, ServingError
from model_server.servables.batch_ops.nodes import BATCHING, all_nodes
from model_server.servables.batch_ops.reach import reaching

_MOST_COPIES = 1000
# A function may hold large constants.
_MOST_BYTES = 2**28


def part_callers(graph: Any) -> None:
    """Gives each caller of a function with an op that batches a copy of its own.

    Raises ServingError, FAILED_PRECONDITION, if that takes too many copies.
    """
    functions = {each.signature.name: each for each in graph.library.function}
    batching = reaching(graph, BATCHING)
    # As they were: calls in those that are there are given other names below.
    originals = {
        name: FunctionDef.FromString(functions[name].SerializeToString()) for name in batching
    }
    taken: set[str] = set()
    waiting = [node for function, node in all_nodes(graph) if function not in batching]
    copies = size = 0
    while waiting:
        for reference in _references(waiting.pop()):
            name = reference.name
            if name not in batching:
                continue
            if name in taken:
                copies += 1
                size += originals[name].ByteSize()
                if copies > _MOST_COPIES or size > _MOST_BYTES:
                    raise _too_many(name)
                copy = graph.library.function.add()
                copy.CopyFrom(originals[name])
                copy.signature.name = reference.name = f"{name}__place_{copies}"
                functions[copy.signature.name] = copy
            taken.add(reference.name)
            waiting.extend(functions[reference.name].node_def)


def _references(node: Any) -> list[Any]:
    """The NameAttrLists by which a node calls functions."""
    found: list[Any] = []
    for _, value in sorted(node.attr.items()):
        if value.HasField("func"):
            found.append(value.func)
        elif value.HasField("list"):
            found.extend(value.list.func)
    return found


def _too_many(name: str) -> ServingError:
    return ServingError(
        Code.FAILED_PRECONDITION,
        f"function {name}, which batches, is called at too many places: each needs a queue of its"
        f" own, and more than {_MOST_COPIES} copies, or {_MOST_BYTES} bytes, would be made",
    )
