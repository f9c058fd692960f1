"""A servable whose requests are merged into batches, and which servables are."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from model_server.batching.bell import Bell, PlainBell
from model_server.batching.bundle import Bundle
from model_server.batching.running import Observer
from model_server.batching.scheduler import BatchScheduler
from model_server.batching.turns import Call
from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.options.batching import Batching, batching_of_version, has_rules
from model_server.options.command_line import InvalidOptions
from model_server.options.cpus import CPUS
from model_server.servables.direct_terms import Bundles, Terms
from model_server.servables.platform import JointServable, Runtime, Servable
from model_server.servables.signature import PART_PREFIX, Signature, Tensor, Tensors, TensorSpec
from model_server.servables.stepping.stepped import SteppedServable

_log = logging.getLogger(__name__)

# Clients choose the outputs, and must not fill the memory.
_MOST_CALLS = 64


@dataclass(frozen=True, eq=False)
class BatchedServable:
    """Runs ``servable`` in batches, but for signatures that cannot have any number of rows."""

    servable: Servable
    scheduler: BatchScheduler
    rules: Batching
    # By signature and outputs. Not of a servable that keeps itself alive: it may be unloaded.
    _calls: dict[tuple[str, tuple[str, ...]], Call] = field(default_factory=dict)

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """See Servable."""
        return self.servable.signatures

    @property
    def signature_defs(self) -> object:
        """Those of the servable's own, or None."""
        return getattr(self.servable, "signature_defs", None)

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run. Raises ServingError."""
        call = self._call(signature, outputs)
        if call is None:
            return self.servable.run(signature, inputs, outputs)
        return self.scheduler.run(call, inputs)

    def waits(self, signature: Signature) -> bool:
        """See WaitingServable."""
        return self._call(signature, signature.every_output) is not None

    async def run_later(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See WaitingServable. Raises ServingError."""
        call = self._call(signature, outputs)
        if call is None:
            return self.servable.run(signature, inputs, outputs)
        return await self.scheduler.run_later(call, inputs)

    def direct(self, signature: Signature, terms: Terms) -> Any:
        """This signature as the native transport answers it, in bundles if it is batched.

        None if Python has to: a transport knows neither priorities nor rows that are filled up, and
        has nobody leave a queue in which requests wait for long.
        """
        direct = getattr(self.servable, "direct", None)
        if direct is None:
            return None
        if self._call(signature, signature.every_output) is None:
            return direct(signature, terms)
        rules = self.rules
        if rules.timeout or rules.low is not None or rules.pad_variable_length_inputs:
            return None
        bundles = Bundles(rules.max_execution_size, self.scheduler.listen())
        return direct(signature, replace(terms, bundles=bundles))

    def run_bundle(self, signature: Signature, bundle: Bundle) -> None:
        """Has a bundle of requests for this signature run in batches. Raises ServingError."""
        call = self._call(signature, signature.every_output)
        assert call is not None, "only signatures with rows have bundles"
        self.scheduler.run_bundle(call, bundle)

    def _call(self, signature: Signature, outputs: Sequence[str]) -> Call | None:
        """How these outputs are batched; None if they cannot be."""
        wanted = tuple(outputs)
        key = (signature.name, wanted)
        call = self._calls.get(key)
        if call is None and has_rows(signature, outputs):
            run = partial(_run, self.servable, signature, wanted)
            # By itself and not by its name: a version that is loaded again is another servable.
            call = Call(
                (id(self), *key),
                self.rules,
                run,
                id(self),
                parallel=CPUS if getattr(self.servable, "is_on_one_cpu", False) else 1,
            )
            if len(self._calls) < _MOST_CALLS:
                self._calls[key] = call
        return call

    def run_jointly(self, signatures: Sequence[Signature], inputs: Tensors) -> Sequence[Tensors]:
        """See JointServable; runs one signature after the other if the servable is none."""
        every = [(signature, tuple(signature.outputs)) for signature in signatures]
        if not isinstance(self.servable, JointServable) or not all(
            has_rows(signature, outputs) for signature, outputs in every
        ):
            return [
                dict(zip(outputs, self.run(signature, inputs, outputs), strict=True))
                for signature, outputs in every
            ]
        run = partial(_run_jointly, self.servable, signatures)
        key = (id(self), *(each.name for each in signatures))
        values = iter(self.scheduler.run(Call(key, self.rules, run, id(self)), inputs))
        return [{alias: next(values) for alias in outputs} for _, outputs in every]


def _run(
    servable: Servable, signature: Signature, outputs: Sequence[str], inputs: Tensors
) -> Sequence[Tensor]:
    return servable.run(signature, inputs, outputs)


def _run_jointly(
    servable: JointServable, signatures: Sequence[Signature], inputs: Tensors
) -> Sequence[Tensor]:
    found = servable.run_jointly(signatures, inputs)
    return [
        outputs[alias]
        for signature, outputs in zip(signatures, found, strict=True)
        for alias in signature.outputs
    ]


def has_rows(signature: Signature, outputs: Sequence[str]) -> bool:
    """Whether any number of rows can go in, and as many may come out, as the signature says."""
    if signature.name.startswith(PART_PREFIX):
        # Each of its inputs has a number of rows of its own.
        return False
    return bool(signature.inputs) and all(
        map(_may_have_any_rows, [*signature.inputs.values(), *map(signature.outputs.get, outputs)])
    )


def _may_have_any_rows(spec: TensorSpec | None) -> bool:
    if spec is None or spec.shape is None:
        return True
    return bool(spec.shape) and spec.shape[0] < 0


@dataclass(frozen=True)
class Batcher:
    """Batches the servables of one platform; ``of_versions`` is Runtime.batching_of_versions."""

    common: Batching
    scheduler: BatchScheduler
    of_versions: bool = False

    def __call__(self, id: ServableId, servable: Servable, folder: str) -> Servable:
        """This servable, loaded from that folder, in batches if it is to be.

        Raises ServingError, INVALID_ARGUMENT, for parameters in the folder that cannot be.
        """
        rules: Batching | None = self.common
        if self.of_versions:
            try:
                rules = batching_of_version(folder, self.common)
            except InvalidOptions as error:
                raise ServingError(Code.INVALID_ARGUMENT, str(error)) from error
        if rules is None:
            return servable
        if getattr(servable, "batches_itself", False) and not has_rules(folder):
            _log.info("%s batches in its graph, and nowhere else", id, extra=id.log_fields)
            return servable
        for signature in servable.signatures.values():
            if not has_rows(signature, tuple(signature.outputs)):
                _log.info(
                    "Signature %s of %s runs without batching: its inputs and outputs are no rows",
                    signature.name,
                    id,
                    extra=id.log_fields,
                )
        return BatchedServable(servable, self.scheduler, rules)


@dataclass(frozen=True)
class Batchers:
    """The batchers of all platforms; those of one thread pool's name have the same threads.

    ``bell`` makes what wakes the threads.
    """

    observer: Observer
    bell: Callable[[], Bell] = PlainBell
    _schedulers: dict[str, BatchScheduler] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, runtime: Runtime) -> Batcher | None:
        """Batches servables that run so; None if their requests run one by one."""
        rules = runtime.batching
        if rules is None:
            return None
        name = rules.threads_name
        with self._lock:
            if name not in self._schedulers:
                self._schedulers[name] = BatchScheduler(
                    rules.threads, name, self.observer, self.bell()
                )
        return Batcher(rules, self._schedulers[name], runtime.batching_of_versions)

    def stop(self, seconds: float) -> None:
        """Ends the threads, each within so long."""
        for scheduler in self._schedulers.values():
            scheduler.stop(seconds)


def unbatched(servable: Servable) -> Servable:
    """What the platform loaded."""
    while isinstance(servable, BatchedServable | SteppedServable):
        servable = servable.servable
    return servable
