"""What a flatbuffer's verifier does not know about a TensorFlow Lite model, but running it needs.

The verifier sees to it that everything lies inside the file; that a tensor which is named by its
index exists, or that a signature's tensors are those of its subgraph, is beyond it.
Source: ``lite/schema/schema.fbs``.
"""

import math
from collections.abc import Iterable
from typing import Any

# A tensor's default shape comes from the file, and memory for it is taken at load, unless its
# content is in the file as well.
_MOST_ELEMENTS = 2**29
_LEFT_OUT = -1


class Unsound(ValueError):
    """What is wrong with a model."""


def check(model: Any) -> None:
    """Raises Unsound for a model (of ``schema_py_generated``) that would be dangerous to run."""
    for at in range(model.SubgraphsLength()):
        graph = model.Subgraphs(at)
        _check_tensors(model, graph)
        _check_indices("input", _numbers(graph, "Inputs"), 0, graph)
        _check_indices("output", _numbers(graph, "Outputs"), 0, graph)
        for place in range(graph.OperatorsLength()):
            operator = graph.Operators(place)
            _check_indices("operator's input", _numbers(operator, "Inputs"), _LEFT_OUT, graph)
            _check_indices("operator's output", _numbers(operator, "Outputs"), 0, graph)
            if operator.OpcodeIndex() >= model.OperatorCodesLength():
                raise Unsound(f"there is no operator code {operator.OpcodeIndex()}")
    for at in range(model.SignatureDefsLength()):
        _check_signature(model, model.SignatureDefs(at))


def _check_tensors(model: Any, graph: Any) -> None:
    for at in range(graph.TensorsLength()):
        tensor = graph.Tensors(at)
        shape = _numbers(tensor, "Shape")
        if tensor.Buffer() >= model.BuffersLength():
            raise Unsound(f"there is no buffer {tensor.Buffer()}")
        empty = model.Buffers(tensor.Buffer()).DataLength() == 0
        if min(shape, default=0) < 0 or (empty and math.prod(shape) > _MOST_ELEMENTS):
            raise Unsound(f"tensor {_text(tensor.Name())} has shape {shape}")


def _check_indices(word: str, indices: Iterable[int], least: int, graph: Any) -> None:
    for index in indices:
        if not least <= index < graph.TensorsLength():
            raise Unsound(f"there is no tensor {index}, which is named as {word}")


def _check_signature(model: Any, listed: Any) -> None:
    name = _text(listed.SignatureKey())
    if listed.SubgraphIndex() >= model.SubgraphsLength():
        raise Unsound(f"signature {name} is of subgraph {listed.SubgraphIndex()}, which is missing")
    graph = model.Subgraphs(listed.SubgraphIndex())
    for word in ("Inputs", "Outputs"):
        known = _numbers(graph, word)
        tensors = [getattr(listed, word)(at) for at in range(getattr(listed, f"{word}Length")())]
        if not {each.TensorIndex() for each in tensors} <= set(known):
            raise Unsound(f"signature {name} has {word.lower()} which its subgraph has not")


def _numbers(table: Any, field: str) -> list[int]:
    get = getattr(table, field)
    return [get(at) for at in range(getattr(table, f"{field}Length")())]


def _text(name: bytes | None) -> str:
    return (name or b"").decode(errors="backslashreplace")
