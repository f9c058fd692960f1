"""A servable that has a step and a head: whole sequences are served, advanced with those of others.

The signature ``step`` takes what one step takes and states, and gives the states after it: states
are what stands among its inputs and its outputs. ``head`` makes outputs of states after the last
step. From the two a signature ``sequence`` is made, which takes sequences of any length.
"""

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Protocol

import numpy as np

from model_server.batching.steps.stepper import StepLimits, Stepper
from model_server.core.errors import Code, ServingError
from model_server.core.servable import ServableId
from model_server.servables.dtypes import INT32
from model_server.servables.platform import JointServable, Servable, WaitingServable
from model_server.servables.signature import (
    DEFAULT_SIGNATURE,
    Signature,
    Tensor,
    Tensors,
    TensorSpec,
)
from model_server.servables.stepping.pair import LENGTHS, Pair, pair_of

_log = logging.getLogger(__name__)

SEQUENCE = "sequence"
# What lengths are when a request leaves them out: all steps there are.
_WHOLE = np.array(-1, np.int32)


@dataclass(frozen=True, eq=False)
class SteppedServable:
    """Serves ``servable``, and whole sequences by its pair."""

    batches_itself: ClassVar = True

    servable: Servable
    pair: Pair
    stepper: Stepper
    signatures: Mapping[str, Signature]
    served: Mapping[str, Signature] = field(default_factory=dict)

    @property
    def signature_defs(self) -> Mapping[str, object] | None:
        """Those of the servable's own with those of sequences, or None."""
        own = getattr(self.servable, "signature_defs", None)
        if own is None:
            return None
        # Imports TensorFlow, as whoever asks has done.
        from model_server.servables.definitions import definition_of

        return {**own, **{name: definition_of(each) for name, each in self.served.items()}}

    def run(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See Servable.run. Raises ServingError."""
        if signature.name not in self.served:
            return self.servable.run(signature, inputs, outputs)
        return self._chosen(self.stepper.run(*_sequences(inputs)), outputs)

    def waits(self, signature: Signature) -> bool:
        """See WaitingServable."""
        own = getattr(self.servable, "waits", None)
        return signature.name in self.served or (own is not None and bool(own(signature)))

    async def run_later(
        self, signature: Signature, inputs: Tensors, outputs: Sequence[str]
    ) -> Sequence[Tensor]:
        """See WaitingServable. Raises ServingError."""
        if signature.name in self.served:
            return self._chosen(await self.stepper.run_later(*_sequences(inputs)), outputs)
        if isinstance(self.servable, WaitingServable):
            return await self.servable.run_later(signature, inputs, outputs)
        return self.servable.run(signature, inputs, outputs)

    def _chosen(self, every: Sequence[Tensor], outputs: Sequence[str]) -> list[Tensor]:
        found = dict(zip(self.pair.head_signature.outputs, every, strict=True))
        return [found[alias] for alias in outputs]

    def run_jointly(self, signatures: Sequence[Signature], inputs: Tensors) -> Sequence[Tensors]:
        """See JointServable; runs one signature after the other where the servable is none."""
        own = not any(signature.name in self.served for signature in signatures)
        if own and isinstance(self.servable, JointServable):
            return self.servable.run_jointly(signatures, inputs)
        found = []
        for signature in signatures:
            outputs = tuple(signature.outputs)
            found.append(dict(zip(outputs, self.run(signature, inputs, outputs), strict=True)))
        return found


def _sequences(inputs: Tensors) -> tuple[Tensors, Sequence[int]]:
    """What goes into the steps, and how many of them each row has. Raises ServingError."""
    steps = {alias: tensor for alias, tensor in inputs.items() if alias != LENGTHS}
    return steps, _lengths(steps, inputs[LENGTHS])


def _lengths(steps: Tensors, given: Tensor) -> Sequence[int]:
    """How many steps each row has. Raises ServingError, INVALID_ARGUMENT, where inputs disagree."""
    sizes = {alias: tensor.shape[:2] for alias, tensor in steps.items()}
    for alias, size in sizes.items():
        if len(size) < 2:
            raise _invalid(f"{alias} must have rows and steps as first dimensions; has {size}")
    if len(set(sizes.values())) > 1:
        raise _invalid(f"inputs must have as many rows and steps each; are {sizes}")
    rows, most = next(iter(sizes.values()))
    if given.ndim == 0 and int(given) < 0:
        return [most] * rows
    if given.shape != (rows,):
        raise _invalid(f"{LENGTHS} must have shape [{rows}]; has {list(given.shape)}")
    lengths = [int(each) for each in given]
    for number, length in enumerate(lengths):
        if not 0 <= length <= most:
            raise _invalid(f"{LENGTHS}[{number}] is {length}; there are {most} steps")
    return lengths


def _invalid(what: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, what)


def stepped(id: ServableId, loaded: Servable, batched: Servable, limits: StepLimits) -> Servable:
    """``batched``, and whole sequences if what was loaded has a pair; the log names a wrong pair.

    Sequences are also the default signature where there is no other.
    """
    try:
        pair = pair_of(loaded)
    except ValueError as error:
        _log.warning(
            "Signatures step and head of %s are not stepped: %s", id, error, extra=id.log_fields
        )
        return batched
    if pair is None:
        return batched
    names = {SEQUENCE, DEFAULT_SIGNATURE} - batched.signatures.keys()
    served = {name: _signature(name, pair) for name in sorted(names)}
    if not served:
        return batched
    stepper = Stepper(pair, limits, f"{id.name}-{id.version}")
    return SteppedServable(batched, pair, stepper, {**batched.signatures, **served}, served)


def _signature(name: str, pair: Pair) -> Signature:
    step, head = pair.step_signature, pair.head_signature
    inputs = {
        alias: TensorSpec(f"{name}/{alias}", spec.dtype, _of_steps(spec.shape))
        for alias, spec in step.inputs.items()
        if alias not in pair.states
    }
    inputs[LENGTHS] = TensorSpec(f"{name}/{LENGTHS}", INT32, None)
    return Signature(name, inputs, head.outputs, defaults={LENGTHS: _WHOLE})


def _of_steps(shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    return None if shape is None else (-1, -1, *shape[1:])


class Batch(Protocol):
    """See loading.Batch."""

    def __call__(self, id: ServableId, servable: Servable, folder: str) -> Servable: ...


@dataclass(frozen=True)
class Stepping:
    """Has sequences served of what is loaded, and requests batched beside if they are to be."""

    limits: StepLimits
    batch: Batch | None = None

    def __call__(self, id: ServableId, servable: Servable, folder: str) -> Servable:
        """See loading.Batch."""
        batched = self.batch(id, servable, folder) if self.batch is not None else servable
        # A device takes one call after the other, so its rows are better not parted.
        limits = replace(self.limits, threads=1) if _has_gpu() else self.limits
        return stepped(id, servable, batched, limits)


def _has_gpu() -> bool:
    # Only where something else needs TensorFlow, which takes long to import.
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and bool(tensorflow.config.list_physical_devices("GPU"))
