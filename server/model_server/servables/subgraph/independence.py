"""Whether a function treats rows independently of each other, seen while sample requests run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

import numpy as np

from model_server.servables.batch_ops.bodies import Body, CannotBatch, Point
from model_server.servables.batch_ops.nodes import node_of
from model_server.servables.signature import Tensor
from model_server.servables.subgraph.likeness import alike, of_rows
from model_server.servables.subgraph.probes import Seen

# They see how many rows there are, which does no harm by itself.
_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank"})
_MOST_REMEMBERED = 32


@dataclass
class RowCheck:
    """Judges one function by runs of it; ``points`` are the tensors inside that are seen.

    ``failed`` is why it cannot be batched, in words; ``compared`` counts runs with different rows.
    """

    body: Body
    points: Sequence[Point] = ()
    failed: str = ""
    compared: int = 0
    _remembered: list[Sequence[Tensor]] = field(default_factory=list)

    def second(self, rows: Sequence[Tensor]) -> Sequence[Tensor]:
        """Other rows that were seen before; the same if there are none that fit."""
        self._check(rows)
        fitting = [each for each in self._remembered if _fit(each, rows)]
        others = [each for each in fitting if not _equal(each, rows)]
        if len(others) == len(fitting) and len(self._remembered) < _MOST_REMEMBERED:
            self._remembered.append([each.copy() for each in rows])
        return others[-1] if others else rows

    def _check(self, rows: Sequence[Tensor]) -> None:
        for number, each in enumerate(rows):
            if each.ndim == 0:
                self.failed = f"{self._named(number)} is a scalar and has no rows"
            elif len(each) != len(rows[0]):
                self.failed = (
                    f"{self._named(number)} has {len(each)} rows, but {self._named(0)} has"
                    f" {len(rows[0])}"
                )
            if self.failed:
                # The run ends with this; it is told by what was noted.
                raise CannotBatch(self.failed)

    def judge(self, first: Seen, second: Seen, both: Seen) -> None:
        """Notes what is wrong, if something is, and nothing was before."""
        if self.failed:
            return
        self.compared += not _equal(first.inputs, second.inputs)
        lots = dict(zip(self.points, zip(first.inside, second.inside, both.inside, strict=True),
                        strict=True))  # fmt: skip
        rows = len(first.inputs[0])
        for tensor in self.body.returned:
            point = self.body.point(tensor)
            if point not in lots:
                continue
            one, other, together = lots[point]
            if one.ndim and len(one) == rows and of_rows(together, one, other):
                continue
            blamed = self._blamed(point, lots)
            self.failed = f"{blamed}: rows are not independent, {tensor} is another if" + (
                f" they run together: {_shown(one)} and {_shown(other)} became {_shown(together)}"
            )
            return

    def _named(self, number: int) -> str:
        return f"input {list(self.body.arguments)[number]} of the subgraph"

    def _blamed(self, point: Point, lots: Mapping[Point, tuple[Tensor, Tensor, Tensor]]) -> str:
        """The first node before a tensor that makes of independent rows what is none."""
        by_rows: set[str] = set(self.body.arguments)
        suspects: list[str] = []
        for name in self._in_order(point.node):
            node = self.body.by_name[name]
            found = [lots[each] for each in lots if each.node == name]
            if all(of_rows(both, one, other) for one, other, both in found):
                by_rows.add(name)
            elif by_rows & {node_of(each) for each in node.input} and node.op not in _SHAPES:
                if not all(_keeps(one, other, both) for one, other, both in found):
                    return f"{node.op} {name}"
                # Rows may have been put in columns, to be put back later.
                by_rows.add(name)
                suspects.append(f"{node.op} {name}")
        return next(iter(suspects), f"{self.body.by_name[point.node].op} {point.node}")

    def _in_order(self, last: str) -> Iterator[str]:
        needed = self.body.before([last]) & self.body.by_name.keys()
        inputs = {
            name: {node_of(each) for each in self.body.by_name[name].input} & needed
            for name in needed
        }
        return iter(TopologicalSorter(inputs).static_order())


def _keeps(first: Tensor, second: Tensor, both: Tensor) -> bool:
    """Whether the values of two arrays are those of a third, in any order."""
    values = np.concatenate([first.reshape(-1), second.reshape(-1)])
    if values.size != both.size:
        return alike(first, both) and alike(second, both)
    return alike(np.sort(values), np.sort(both.reshape(-1)))


def _fit(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return all(a.shape[1:] == b.shape[1:] for a, b in zip(one, other, strict=True))


def _shown(tensor: Tensor) -> str:
    return f"{list(tensor.shape)} {tensor.reshape(-1)[:4].tolist()}"


def _equal(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
