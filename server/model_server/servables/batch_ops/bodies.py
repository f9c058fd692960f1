"""A graph and the body of a function seen alike: nodes, and tensors by node and number."""

from typing import Any, NamedTuple

from model_server.servables.batch_ops.nodes import Output, node_of, outputs_of

_BASE_TYPES = 100
_MOST_NAMED = 200


class CannotBatch(ValueError):
    """What was asked for cannot run in batches; the text says why, and names the node."""


class Point(NamedTuple):
    """One tensor: output ``number`` of a node, counted over all its outputs; or an argument, 0."""

    node: str
    number: int


class Body:
    """The nodes of a GraphDef, or of one of its functions; raises CannotBatch if there is none."""

    def __init__(self, graph: Any, function: str = "") -> None:
        self.functions = {each.signature.name: each for each in graph.library.function}
        if function and function not in self.functions:
            raise CannotBatch(f"there is no function {function} in the model")
        self.function = self.functions[function] if function else None
        self.nodes = self.function.node_def if self.function is not None else graph.node
        self.by_name = {node.name: node for node in self.nodes}
        arguments = self.function.signature.input_arg if self.function is not None else ()
        self.arguments: dict[str, int] = {each.name: each.type for each in arguments}

    @property
    def where(self) -> str:
        """What errors call it."""
        return f"function {self.function.signature.name}" if self.function is not None else "graph"

    @property
    def returned(self) -> list[str]:
        """The tensors a function gives, in order; none for a graph."""
        if self.function is None:
            return []
        return [self.function.ret[arg.name] for arg in self.function.signature.output_arg]

    def points_of(self, node: str) -> list[Point]:
        """All tensors of a node. Raises CannotBatch for an operation there is none of."""
        return [Point(node, number) for number in range(len(self._outputs(node)))]

    def point(self, tensor: str) -> Point:
        """The tensor of this name. Raises CannotBatch if there is none."""
        node, *rest = tensor.split(":")
        if node in self.arguments and not any(each != "0" for each in rest):
            return Point(node, 0)
        if node not in self.by_name:
            raise CannotBatch(
                f"there is no tensor {tensor} in the {self.where}: no node {node}; nodes there are:"
                f" {_some([*self.arguments, *self.by_name])}"
            )
        outputs = self._outputs(node)
        for number, output in enumerate(outputs):
            if rest == self._address(output, number) or (not rest and not number):
                return Point(node, number)
        there = ", ".join(self.written(Point(node, number)) for number in range(len(outputs)))
        raise CannotBatch(f"there is no tensor {tensor} in the {self.where}; there are: {there}")

    def written(self, point: Point) -> str:
        """The tensor's name among these nodes."""
        if point.node in self.arguments:
            return point.node
        output = self._outputs(point.node)[point.number]
        return ":".join([point.node, *self._address(output, point.number)])

    def within(self, point: Point) -> str:
        """The name it has when its node is in the body of a function."""
        output = self._outputs(point.node)[point.number]
        return f"{point.node}:{output.name}:{output.number}"

    def dtype(self, point: Point) -> int:
        """Its DataType; over 100 for a reference to a variable."""
        if point.node in self.arguments:
            return self.arguments[point.node]
        return self._outputs(point.node)[point.number].dtype

    def base_dtype(self, point: Point) -> int:
        """The DataType of its value."""
        return self.dtype(point) % _BASE_TYPES

    def inputs(self, node: Any) -> list[Point]:
        """The tensors a node reads, in order."""
        return [self.point(each) for each in node.input if not each.startswith("^")]

    def before(self, names: list[str], *, stop: frozenset[str] = frozenset()) -> set[str]:
        """These nodes and all they need, without what comes before those to stop at."""
        found, waiting = set(names), list(names)
        while waiting:
            node = self.by_name.get(waiting.pop())
            if node is None or node.op in stop:
                continue
            for name in map(node_of, node.input):
                if name not in found:
                    found.add(name)
                    waiting.append(name)
        return found

    def free_name(self, name: str) -> str:
        """This name, or one like it that no node has."""
        taken = self.by_name.keys() | self.arguments.keys()
        count = 0
        while (candidate := f"{name}_{count}" if count else name) in taken:
            count += 1
        return candidate

    def _address(self, output: Output, number: int) -> list[str]:
        return [output.name, str(output.number)] if self.function is not None else [str(number)]

    def _outputs(self, node: str) -> list[Output]:
        try:
            return outputs_of(self.by_name[node], self.functions)
        except ValueError as error:
            raise CannotBatch(str(error)) from error


def _some(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
