"""The use case predict: run one signature of one servable."""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Servable
from model_server.servables.signature import (
    CLASSIFY,
    DEFAULT_SIGNATURE,
    PREDICT,
    REGRESS,
    Signature,
    Tensors,
)
from model_server.service.feeding import complete, select_outputs
from model_server.service.lender import Lender
from model_server.service.metrics.outcome import code_of
from model_server.service.metrics.serving import ServingMetrics
from model_server.service.model_spec import ModelSpec, check_name
from model_server.telemetry import tracing


def signature_not_found(name: str) -> ServingError:
    """What gRPC clients are told of a signature the model has not."""
    return ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')


class PredictCall(NamedTuple):
    """One request: what to run, and how to decode the inputs once the signature is known.

    ``decode`` is called with the signature and returns an array for each input sent. A tuple,
    because frozen dataclasses cost each request a microsecond.
    """

    spec: ModelSpec
    decode: Callable[[Signature], Tensors]
    output_filter: Sequence[str] = ()
    not_found: Callable[[str], ServingError] = signature_not_found


class Prediction(NamedTuple):
    """Outputs by alias, and the servable and signature that made them."""

    name: str
    version: int
    signature_name: str
    outputs: Tensors


@dataclass(frozen=True)
class Predict:
    """Runs signatures of the servables a manager lends."""

    manager: Lender
    metrics: ServingMetrics
    check_method_names: bool = False

    def __call__(self, call: PredictCall) -> Prediction:
        """Runs the call's signature. Raises ServingError."""
        spec = call.spec
        if not spec.name:
            check_name(spec)
        with self.manager.handle(spec.name, spec.version, spec.label) as handle:
            servable = handle.servable
            signature, inputs, aliases = self._asked(servable, call)
            runs = self.metrics.runs(spec.name, signature.name, "Predict")
            began = time.perf_counter()
            try:
                if tracing.is_seen():
                    with tracing.run(handle.id, signature.name):
                        values = servable.run(signature, inputs, aliases)
                else:
                    values = servable.run(signature, inputs, aliases)
            except BaseException as error:
                runs.end(code_of(error), began)
                raise
            # Written out, because a block of its own costs each request a microsecond.
            runs.end(Code.OK, began)
            outputs = dict(zip(aliases, values, strict=True))
            return Prediction(spec.name, handle.id.version, signature.name, outputs)

    def may_wait(self, spec: ModelSpec) -> bool:
        """Whether ``waits`` is true of any signature: only then is a body read to see of which."""
        with (
            suppress(ServingError),
            self.manager.handle(spec.name, spec.version, spec.label) as handle,
        ):
            waits = getattr(handle.servable, "waits", None)
            return waits is not None and any(map(waits, handle.servable.signatures.values()))
        return False

    def waits(self, spec: ModelSpec) -> bool:
        """Whether ``later`` answers for this spec without a thread that waits."""
        with (
            suppress(ServingError),
            self.manager.handle(spec.name, spec.version, spec.label) as handle,
        ):
            signature = handle.servable.signatures.get(spec.signature)
            waits = getattr(handle.servable, "waits", None)
            return signature is not None and waits is not None and bool(waits(signature))
        return False

    async def later(self, call: PredictCall) -> Prediction:
        """The same, for work that waits by ``go_on``. Raises ServingError."""
        spec = call.spec
        check_name(spec)
        with self.manager.handle(spec.name, spec.version, spec.label) as handle:
            servable = handle.servable
            signature, inputs, aliases = self._asked(servable, call)
            with (
                self.metrics.run(spec.name, signature.name, "Predict"),
                tracing.run(handle.id, signature.name),
            ):
                # One that does not wait may have come in the place of one that does.
                run_later = getattr(servable, "run_later", None)
                if run_later is None:
                    values = servable.run(signature, inputs, aliases)
                else:
                    values = await run_later(signature, inputs, aliases)
            outputs = dict(zip(aliases, values, strict=True))
            return Prediction(spec.name, handle.id.version, signature.name, outputs)

    def _asked(
        self, servable: Servable, call: PredictCall
    ) -> tuple[Signature, Tensors, tuple[str, ...]]:
        """The signature, what it is fed with, and the outputs. Raises ServingError."""
        signature = servable.signatures.get(call.spec.signature_name or DEFAULT_SIGNATURE)
        if signature is None:
            raise call.not_found(call.spec.signature)
        self.check(signature)
        inputs = complete(signature, call.decode(signature))
        return signature, inputs, select_outputs(signature, call.output_filter)

    def check(self, signature: Signature) -> None:
        """Raises ServingError for a signature that is not to be predicted with."""
        if self.check_method_names:
            _check_method_name(signature)


def _check_method_name(signature: Signature) -> None:
    if signature.method_name not in (PREDICT, CLASSIFY, REGRESS):
        raise ServingError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of"
            f" {{{PREDICT}, {CLASSIFY}, {REGRESS}}}. Was: {signature.method_name}",
        )
