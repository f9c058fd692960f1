"""One TensorFlow Lite interpreter: inputs of any shape in, copies of the outputs out."""

from collections.abc import Mapping, Sequence

from ai_edge_litert.interpreter import Interpreter

from model_server.core.errors import Code, ServingError
from model_server.servables.signature import Tensor
from model_server.servables.tflite.blank import blank
from model_server.servables.tflite.signatures import LiteSignature


class LiteInterpreter:
    """Runs signatures of one model, one call at a time.

    ``built`` is an interpreter that has not taken its memory yet; making one of these takes what
    inputs of the default shapes need. Raises RuntimeError or ValueError.
    """

    def __init__(self, built: Interpreter) -> None:
        self._lite = built
        built.allocate_tensors()
        self._blanks = {each["index"]: blank(each) for each in built.get_input_details()}
        self._shapes = {index: value.shape for index, value in self._blanks.items()}

    @property
    def batch_size(self) -> int:
        """The first size of the model's one input, as the inputs of the last call were; else 1."""
        shapes = list(self._shapes.values())
        return int(shapes[0][0]) if len(shapes) == 1 and shapes[0] else 1

    def run(
        self, lite: LiteSignature, inputs: Mapping[int, Tensor], outputs: Sequence[str]
    ) -> list[Tensor]:
        """The outputs of these aliases, in that order; ``inputs`` are by tensor index,
        and those that are none of the main subgraph's do not matter.

        Raises ServingError: INVALID_ARGUMENT for shapes that the model refuses, INTERNAL for what
        fails inside it.
        """
        if lite.runner is not None:
            return self._run_other(lite, inputs, outputs)
        # A signature may leave out inputs of the model: nothing of another call must be in them.
        fed = {index: inputs.get(index, unfed) for index, unfed in self._blanks.items()}
        self._reshape(fed)
        try:
            for index, value in fed.items():
                self._lite.set_tensor(index, value)
            self._lite.invoke()
        except (RuntimeError, ValueError) as error:
            raise _failed(error) from error
        wanted = [lite.outputs[alias] for alias in outputs]
        # An output may be an input, whose memory the interpreter is free to use for others.
        return [fed[index] if index in fed else self._output(index) for index in wanted]

    def _reshape(self, fed: dict[int, Tensor]) -> None:
        changed = [index for index, value in fed.items() if value.shape != self._shapes[index]]
        try:
            for index in changed:
                self._lite.resize_tensor_input(index, fed[index].shape)
            if changed:
                self._lite.allocate_tensors()
        except (RuntimeError, ValueError, OverflowError) as error:
            sent = ", ".join(str(list(fed[index].shape)) for index in changed)
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Failed to resize input tensor: the model does not take inputs of shape {sent}:"
                f" {error}",
            ) from error
        self._shapes.update({index: fed[index].shape for index in changed})

    def _output(self, index: int) -> Tensor:
        try:
            value: Tensor = self._lite.get_tensor(index)
        except ValueError as error:
            # Of a tensor without elements there are no bytes to copy.
            details = next(
                each for each in self._lite.get_output_details() if each["index"] == index
            )
            if 0 not in details["shape"]:
                raise _failed(error) from error
            return blank(details)
        return value

    def _run_other(
        self, lite: LiteSignature, inputs: Mapping[int, Tensor], outputs: Sequence[str]
    ) -> list[Tensor]:
        try:
            # A runner keeps the interpreter from other uses, so it lives for one call.
            runner = self._lite.get_signature_runner(lite.runner)
            found = runner(**{alias: inputs[index] for alias, index in lite.inputs.items()})
        except (RuntimeError, ValueError, OverflowError) as error:
            raise _failed(error) from error
        return [found[alias] for alias in outputs]


def _failed(error: Exception) -> ServingError:
    return ServingError(Code.INTERNAL, f"Failed to invoke TfLite interpreter: {error}")
