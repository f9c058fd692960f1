"""SavedModels of every kind, run by a session in the calling thread.

A session rather than ``tf.saved_model.load``, because only it loads TF1 models with ref variables
and accepts shapes that differ from the placeholder's, as TensorFlow Serving does. And a raw
callable rather than ``Session.run``: with ``inter_op_parallelism_threads=-1`` the graph runs in the
thread that calls, which costs about 5 microseconds instead of 150.
"""

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from model_server.core.errors import Code, ServingError
from model_server.servables import tensors
from model_server.servables.direct_terms import Terms
from model_server.servables.dtypes import STRING, dtype_of
from model_server.servables.saved_model.direct import DirectSession
from model_server.servables.signature import Signature, Tensor, Tensors, TensorSpec

# A callable is compiled for each combination of outputs that clients ask for. Beyond this many the
# whole signature runs and the rest is thrown away, so that clients cannot fill the memory.
_MOST_FILTERS = 64

# What Python's session adds to an error of the runtime: where the node was defined, twice.
_TRACE = re.compile(
    r"Graph execution error:(?:.*?\nNode: '[^']*'\n|\s*)|\n+Original stack trace.*", re.DOTALL
)

_Run = Callable[..., list[Any]]


class SavedModel:
    """One loaded SavedModel: its signatures and the session that runs them.

    `more` are signatures of the session's graph that the SavedModel does not define. `direct` runs
    some of them without Python.
    """

    # Whether a run has no use for a second processor.
    is_on_one_cpu = False

    def __init__(
        self,
        session: Any,
        signature_defs: Mapping[str, Any],
        more: Mapping[str, Signature] | None = None,
        direct: DirectSession | None = None,
    ) -> None:
        self.signature_defs = dict(signature_defs)
        self.signatures = {
            name: signature_of(name, definition) for name, definition in signature_defs.items()
        } | dict(more or {})
        self._session = session
        self._direct = direct
        self._lock = threading.Lock()
        self._runs: dict[tuple[str, tuple[str, ...]], _Run] = {}

    def run(self, signature: Signature, inputs: Tensors, outputs: Sequence[str]) -> list[Tensor]:
        """See Servable.run. Raises ServingError with TensorFlow's own code and message."""
        wanted = tuple(outputs)
        run = self._runs.get((signature.name, wanted)) or self._compiled(signature, wanted)
        if run is None:
            found = self._all_outputs(signature, inputs)
            return [found[alias] for alias in wanted]
        try:
            values = run(*map(inputs.__getitem__, signature.inputs))
        except tf.errors.OpError as error:
            raise serving_error(error) from error
        except UnicodeDecodeError as error:
            raise undecodable(error) from error
        for index, value in enumerate(values):
            if type(value) is not np.ndarray:
                values[index] = array_of(value)
        return values

    def run_jointly(self, signatures: Sequence[Signature], inputs: Tensors) -> list[Tensors]:
        """See JointServable. Raises ServingError."""
        outputs = {spec.name: spec for each in signatures for spec in each.outputs.values()}
        joint = Signature(
            "\0".join(sorted(each.name for each in signatures)),
            signatures[0].inputs,
            dict(sorted(outputs.items())),
        )
        every = tuple(joint.outputs)
        if len(signatures) == 1 or self._compiled(joint, every) is None:
            return [self._all_outputs(each, inputs) for each in signatures]
        found = dict(zip(every, self.run(joint, inputs, every), strict=True))
        return [
            {alias: found[spec.name] for alias, spec in each.outputs.items()} for each in signatures
        ]

    def _all_outputs(self, signature: Signature, inputs: Tensors) -> Tensors:
        every = tuple(signature.outputs)
        return dict(zip(every, self.run(signature, inputs, every), strict=True))

    def _compiled(self, signature: Signature, wanted: tuple[str, ...]) -> _Run | None:
        """The callable for these outputs; None where one more combination would be too many."""
        key = (signature.name, wanted)
        with self._lock:
            run = self._runs.get(key)
            whole = signature.name in self.signatures and wanted == tuple(signature.outputs)
            if run is None and (whole or len(self._runs) < len(self.signatures) + _MOST_FILTERS):
                run = self._runs[key] = self._compile(signature, wanted)
            return run

    def _compile(self, signature: Signature, wanted: Iterable[str]) -> _Run:
        options = config_pb2.CallableOptions()
        options.feed.extend(spec.name for spec in signature.inputs.values())
        options.fetch.extend(signature.outputs[alias].name for alias in wanted)
        try:
            run: _Run = self._session._make_callable_from_options(options)
        except tf.errors.OpError as error:
            raise serving_error(error) from error
        return run

    def direct(self, signature: Signature, terms: Terms) -> Any:
        """This signature as the native transport answers it; None if Python has to."""
        return self._direct.signature(signature, terms) if self._direct else None

    def close(self) -> None:
        """Gives the session's memory back; the servable cannot run any more."""
        if self._direct:
            self._direct.close()
        self.release()
        self._session.close()
        del self._session

    def release(self) -> None:
        """Gives back what was compiled; the session stays."""
        # The callables release their handles only while the session is open.
        self._runs.clear()


def signature_of(name: str, definition: Any) -> Signature:
    """The Signature a SignatureDef describes."""
    defaults: dict[str, Tensor] = {}
    for alias, proto in definition.defaults.items():
        defaults[alias] = tensors.decode(proto)
    return Signature(
        name=name,
        inputs=_specs(definition.inputs),
        outputs=_specs(definition.outputs),
        method_name=definition.method_name,
        defaults=defaults,
    )


def _specs(infos: Mapping[str, Any]) -> dict[str, TensorSpec]:
    # Sorted by graph name: the order in which TensorFlow numbers a session's arguments.
    return {
        alias: TensorSpec(info.name, dtype_of(info.dtype % 100), _shape(info.tensor_shape))
        for alias, info in sorted(infos.items(), key=lambda item: (item[1].name, item[0]))
    }


def _shape(proto: Any) -> tuple[int, ...] | None:
    return None if proto.unknown_rank else tuple(dim.size for dim in proto.dim)


def array_of(value: Any) -> Tensor:
    """What a session gives, scalars too, as an array."""
    if isinstance(value, bytes):
        array = np.empty((), STRING.numpy)
        array[()] = value
        return array
    return np.asarray(value)


def serving_error(error: tf.errors.OpError) -> ServingError:
    """What TensorFlow says, without where in Python the node was made."""
    return ServingError(Code(error.error_code), without_trace(str(error.message)))


def without_trace(message: str) -> str:
    """What the runtime says, without what Python's session adds."""
    return _TRACE.sub("", message)


def undecodable(error: UnicodeDecodeError) -> ServingError:
    """For a message of the runtime that quotes bytes of the request; its code is lost with it."""
    message = error.object.decode(errors="backslashreplace")
    return ServingError(Code.INVALID_ARGUMENT, without_trace(message))
