"""Functions that are run for two lots of rows, alone and together, while a request runs.

A function in a loop or a condition cannot be asked from outside, so the model itself calls a probe
in its place: it runs the function three times on what is at hand, and hands all tensors to Python.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.types_pb2 import DT_BOOL, DT_RESOURCE, DT_VARIANT
from tensorflow.python.ops import script_ops

from model_server.servables.batch_ops.bodies import Body
from model_server.servables.batch_ops.nodes import BATCH_FUNCTION, all_nodes
from model_server.servables.signature import Tensor

_UNSEEN = frozenset({DT_RESOURCE, DT_VARIANT})
_FIRST_REFERENCE = 101


@dataclass(frozen=True)
class Seen:
    """One run of a function for rows: what went in, and each tensor inside that can be seen."""

    inputs: Sequence[Tensor]
    inside: Sequence[Tensor]


class Probe:
    """Takes the place of one function; whoever judges is given rows to run and what came of it.

    ``second`` says which rows to run beside those of a request; ``judge`` gets the run of these,
    of the second ones, and of both together.
    """

    def __init__(
        self,
        body: Body,
        second: Callable[[Sequence[Tensor]], Sequence[Tensor]],
        judge: Callable[[Seen, Seen, Seen], None],
    ) -> None:
        if body.function is None:
            raise ValueError("a probe takes the place of a function")
        self._signature = body.function.signature
        self._name: str = self._signature.name
        self.body = body
        self.points = [
            point
            for node in body.nodes
            for point in body.points_of(node.name)
            if body.dtype(point) < _FIRST_REFERENCE and body.dtype(point) not in _UNSEEN
        ]
        self._second = second
        self._judge = judge
        # TensorFlow keeps a function of Python only as long as somebody else does.
        self._kept: list[Callable[..., Any]] = []

    def put_into(self, graph: Any, rows: int) -> None:
        """Lets all batches of the function in a GraphDef, of so many tensors, run the probe."""
        name = self._name
        graph.library.function.add().CopyFrom(self._open(name))
        graph.library.function.add().CopyFrom(self._probe(name, rows))
        for _, node in all_nodes(graph):
            if node.op == BATCH_FUNCTION and node.attr["f"].func.name == name:
                node.attr["f"].func.name = f"{name}__probe"

    def _open(self, name: str) -> FunctionDef:
        """The function, with all tensors inside for outputs after its own."""
        opened = FunctionDef()
        opened.CopyFrom(self.body.function)
        opened.signature.name = f"{name}__open"
        for number, point in enumerate(self.points):
            arg = opened.signature.output_arg.add(name=f"seen_{number}")
            arg.type = self.body.dtype(point)
            opened.ret[arg.name] = self.body.written(point)
        return opened

    def _probe(self, name: str, rows: int) -> FunctionDef:
        """Chooses other rows, runs the open function three times, and has the runs judged."""
        probe = FunctionDef()
        probe.signature.CopyFrom(self._signature)
        probe.signature.name = f"{name}__probe"
        probe.signature.is_stateful = True
        # Those are nodes of the function it stands for.
        del probe.signature.control_output[:]
        given = [arg.name for arg in self._signature.input_arg]
        types = [arg.type for arg in self._signature.input_arg]
        chosen = self._python(probe, "choose", self._choose, (given[:rows], types[:rows]))
        chosen.attr["Tout"].list.type.extend(types[:rows] * 2)
        lots = [
            given[:rows],
            [f"choose:output:{n}" for n in range(rows)],
            [f"choose:output:{n}" for n in range(rows, 2 * rows)],
        ]
        seen = [self.body.dtype(point) for point in self.points]
        handed: list[str] = []
        for run, lot in zip(("first", "second", "both"), lots, strict=True):
            handed += [*lot, *self._run(probe, run, [*lot, *given[rows:]], seen)]
        shown = (types[:rows] + seen) * 3
        judged = self._python(probe, "judge", self._judged(rows), (handed, shown))
        judged.attr["Tout"].list.type.append(DT_BOOL)
        for number, arg in enumerate(self._signature.output_arg):
            answer = probe.node_def.add(name=f"answer_{number}", op="Identity")
            answer.input.extend([f"first:output:{number}", "^judge"])
            answer.attr["T"].type = arg.type
            probe.ret[arg.name] = f"answer_{number}:output:0"
        return probe

    def _run(
        self, probe: FunctionDef, run: str, given: Sequence[str], seen: Sequence[int]
    ) -> list[str]:
        """Adds a run of the open function; the tensors inside it."""
        outputs = [arg.type for arg in self._signature.output_arg]
        call = probe.node_def.add(name=run, op="StatefulPartitionedCall")
        call.input.extend(given)
        call.attr["f"].func.name = f"{self._name}__open"
        call.attr["Tin"].list.type.extend(arg.type for arg in self._signature.input_arg)
        call.attr["Tout"].list.type.extend([*outputs, *seen])
        return [f"{run}:output:{n}" for n in range(len(outputs), len(outputs) + len(seen))]

    def _python(
        self,
        probe: FunctionDef,
        name: str,
        call: Callable[..., Any],
        given: tuple[Sequence[str], Sequence[int]],
    ) -> Any:
        node = probe.node_def.add(name=name, op="PyFunc")
        inputs, types = given
        node.input.extend(inputs)
        node.attr["token"].s = script_ops._py_funcs.insert(call).encode()
        node.attr["Tin"].list.type.extend(types)
        self._kept.append(call)
        return node

    def _choose(self, *rows: Tensor) -> list[Tensor]:
        second = self._second(rows)
        return [*second, *map(np.concatenate, zip(rows, second, strict=True))]

    def _judged(self, rows: int) -> Callable[..., Any]:
        def judged(*values: Tensor) -> Any:
            size = rows + len(self.points)
            runs = [values[n * size : (n + 1) * size] for n in range(3)]
            self._judge(*(Seen(run[:rows], run[rows:]) for run in runs))
            return np.True_

        return judged
