"""A SavedModel whose graph batches concurrent requests by itself."""

from collections.abc import Sequence

from model_server.core.client import client
from model_server.core.errors import Code, ServingError
from model_server.servables.saved_model.model import SavedModel
from model_server.servables.signature import Signature, Tensor, Tensors


class InGraphBatched:
    """A SavedModel that batches inside its graph, across concurrent requests.

    ``alone`` are the same signatures without batches, in the same session. They answer what cannot
    be in a batch, and each member of one that failed. ``whole``: all outputs are always computed,
    because a member that takes fewer would let others wait.
    """

    batches_itself = True

    def __init__(self, batched: SavedModel, alone: SavedModel, *, whole: bool) -> None:
        self._batched = batched
        self._alone = alone
        self._whole = whole
        self.signature_defs = batched.signature_defs
        self.signatures = batched.signatures

    def run(self, signature: Signature, inputs: Tensors, outputs: Sequence[str]) -> list[Tensor]:
        """See Servable.run. Raises ServingError, by the request's own fault or for a full queue."""
        if _has_rows(inputs):
            client().about_to_wait()
            try:
                return self._run(signature, inputs, outputs)
            except ServingError as error:
                if not _may_be_of_others(error):
                    raise
        return self._alone.run(self._alone.signatures[signature.name], inputs, outputs)

    def _run(self, signature: Signature, inputs: Tensors, outputs: Sequence[str]) -> list[Tensor]:
        if not self._whole:
            return self._batched.run(signature, inputs, outputs)
        every = tuple(signature.outputs)
        found = dict(zip(every, self._batched.run(signature, inputs, every), strict=True))
        return [found[alias] for alias in outputs]

    def run_jointly(self, signatures: Sequence[Signature], inputs: Tensors) -> list[Tensors]:
        """See JointServable. Raises ServingError."""
        if _has_rows(inputs) and not self._whole:
            client().about_to_wait()
            try:
                return self._batched.run_jointly(signatures, inputs)
            except ServingError as error:
                if not _may_be_of_others(error):
                    raise
        alone = [self._alone.signatures[each.name] for each in signatures]
        return self._alone.run_jointly(alone, inputs)

    def close(self) -> None:
        """Gives the session's memory back; the servable cannot run any more."""
        self._alone.release()
        self._batched.close()


def _has_rows(inputs: Tensors) -> bool:
    # Of no rows at all TensorFlow makes a batch whose outputs have lost their shape.
    return all(tensor.size for tensor in inputs.values())


def _may_be_of_others(error: ServingError) -> bool:
    # A full queue is what the model's author wants to be told of.
    return error.code is not Code.UNAVAILABLE
