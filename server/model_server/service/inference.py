"""The use cases that take Examples: one task, or several in one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import JointServable, Servable
from model_server.servables.signature import CLASSIFY, REGRESS, Signature, Tensor, Tensors
from model_server.service.classify import Classes, Classify
from model_server.service.example_task import INPUTS, Answered, ExampleTask, invalid
from model_server.service.examples import Examples
from model_server.service.feeding import complete
from model_server.service.lender import Lender
from model_server.service.metrics.serving import ServingMetrics
from model_server.service.model_spec import ModelSpec, check_name
from model_server.service.regress import Regress
from model_server.telemetry import tracing

R = TypeVar("R")


@dataclass(frozen=True)
class InferenceTask:
    """One task of a multi-inference: a signature, and the method it is to be run as."""

    spec: ModelSpec
    method_name: str


@dataclass(frozen=True)
class Inference:
    """Runs classifications and regressions on the servables a manager lends."""

    manager: Lender
    metrics: ServingMetrics
    check_method_names: bool = False

    def classify(self, spec: ModelSpec, examples: Examples) -> Answered[Classes]:
        """Labels and scores. Raises ServingError."""
        return self._run(Classify(self.check_method_names), spec, examples)

    def regress(self, spec: ModelSpec, examples: Examples) -> Answered[Tensor]:
        """A float32 number for each example. Raises ServingError."""
        return self._run(Regress(self.check_method_names), spec, examples)

    def _run(self, task: ExampleTask[R], spec: ModelSpec, examples: Examples) -> Answered[R]:
        check_name(spec)
        with self.manager.handle(spec.name, spec.version, spec.label) as handle:
            signature = handle.servable.signatures.get(spec.signature)
            if signature is None:
                raise invalid(f"No signature was found with the name: {spec.signature}")
            task.check(signature)
            fed = complete(signature, {INPUTS: examples.tensor()})
            aliases = task.outputs(signature)
            self.metrics.examples(spec.name, len(examples.serialized))
            with (
                tracing.run(handle.id, signature.name),
                self.metrics.run(spec.name, signature.name, task.api),
            ):
                values = handle.servable.run(signature, fed, aliases)
            result = task.result(dict(zip(aliases, values, strict=True)), len(examples.serialized))
            return Answered(spec.name, handle.id.version, signature.name, result)

    def multi(
        self, tasks: Sequence[InferenceTask], examples: Examples
    ) -> list[Answered[Classes | Tensor]]:
        """All tasks on the same examples, in one run where the platform can; in their order.

        The first task's spec selects the version. Raises ServingError.
        """
        first = tasks[0].spec if tasks else ModelSpec("")
        check_name(first)
        with self.manager.handle(first.name, first.version, first.label) as handle:
            signatures, kinds = self._checked(tasks, handle.servable)
            fed = complete(signatures[0], {INPUTS: examples.tensor()})
            count = len(examples.serialized)
            self.metrics.examples(first.name, count)
            with (
                tracing.run(handle.id, signatures[0].name),
                self.metrics.run(first.name, signatures[0].name, "MultiInference"),
            ):
                found = _run_jointly(handle.servable, signatures, fed)
            return [
                Answered(first.name, handle.id.version, signature.name, kind.result(outputs, count))
                for signature, kind, outputs in zip(signatures, kinds, found, strict=True)
            ]

    def _checked(
        self, tasks: Sequence[InferenceTask], servable: Servable
    ) -> tuple[list[Signature], list[ExampleTask[Classes | Tensor]]]:
        signatures: dict[str, Signature] = {}
        kinds: list[ExampleTask[Classes | Tensor]] = []
        for task in tasks:
            name = task.spec.signature
            if not task.spec.name:
                raise invalid("Found ModelSpec with an empty model name.")
            if task.spec.name != tasks[0].spec.name:
                raise invalid(
                    "All ModelSpecs in a MultiInferenceRequest must access the same model name."
                )
            if name in signatures:
                raise invalid(f"Duplicate evaluation of signature: {name}")
            if name not in servable.signatures:
                raise invalid(f"Requested signature not found in model graph: {name}")
            signatures[name] = servable.signatures[name]
            kinds.append(self._kind(task.method_name))
            kinds[-1].check(signatures[name])
        if len({signature.inputs[INPUTS] for signature in signatures.values()}) != 1:
            raise invalid("Input tensor must be the same for all Signatures.")
        return list(signatures.values()), kinds

    def _kind(self, method_name: str) -> ExampleTask[Classes | Tensor]:
        if method_name == CLASSIFY:
            return Classify(self.check_method_names)
        if method_name == REGRESS:
            return Regress(self.check_method_names)
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method_name}")


def _run_jointly(
    servable: Servable, signatures: Sequence[Signature], fed: Tensors
) -> Sequence[Tensors]:
    if isinstance(servable, JointServable):
        return servable.run_jointly(signatures, fed)
    found = []
    for signature in signatures:
        aliases = tuple(signature.outputs)
        found.append(dict(zip(aliases, servable.run(signature, fed, aliases), strict=True)))
    return found
