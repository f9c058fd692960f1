"""The platform ``tflite``: a TensorFlow Lite model in the version folder's ``model.tflite``.

The interpreter is LiteRT's. Operations of TensorFlow itself ("Select TF ops") are not in it; those
that parse tf.Examples are run by TensorFlow before it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter
from tensorflow.errors import OpError

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Runtime
from model_server.servables.signature import Signature, Tensor, Tensors
from model_server.servables.tflite.examples import ExampleParser, without_parsing
from model_server.servables.tflite.interpreter import LiteInterpreter
from model_server.servables.tflite.pool import Pool
from model_server.servables.tflite.signatures import (
    LiteSignature,
    operations_of_tensorflow,
    signatures_of,
)
from model_server.servables.tflite.splitting import Splitter, most_rows
from model_server.servables.tflite.trial import TRIALS

_FILE = "model.tflite"

# How LiteRT begins its messages about operations that it does not have.
_NO_OPERATION = ("Didn't find op", "Op builtin_code out of range", "Encountered unresolved custom")


class TfLiteModel:
    """One loaded model: its signatures and the interpreters that run them."""

    def __init__(
        self,
        signatures: dict[str, LiteSignature],
        pool: Pool[LiteInterpreter],
        parsers: Sequence[ExampleParser] = (),
        splitter: Splitter | None = None,
    ) -> None:
        self.signatures = {name: each.signature for name, each in signatures.items()}
        self.signature_defs = {name: each.definition for name, each in signatures.items()}
        self._lite = signatures
        self._pool = pool
        self._parsers = parsers
        self._splitter = splitter

    def run(self, signature: Signature, inputs: Tensors, outputs: Sequence[str]) -> list[Tensor]:
        """See Servable.run.

        Raises ServingError: INVALID_ARGUMENT for shapes that the model refuses, INTERNAL for what
        fails inside it, UNAVAILABLE where no interpreter becomes free.
        """
        lite = self._lite[signature.name]
        if self._splitter is None or len(lite.inputs) != 1:
            return self._run(lite, inputs, outputs)
        ((alias, rows),) = inputs.items()
        return self._splitter.run(rows, lambda part: self._run(lite, {alias: part}, outputs))

    def _run(self, lite: LiteSignature, inputs: Tensors, outputs: Sequence[str]) -> list[Tensor]:
        fed = {index: inputs[alias] for alias, index in lite.inputs.items()}
        for parser in self._parsers:
            if parser.serialized in fed:
                fed |= parser.run(fed[parser.serialized])
        with self._pool.lent() as interpreter:
            return interpreter.run(lite, fed, outputs)

    def close(self) -> None:
        """Gives the interpreters' memory back; the servable cannot run any more."""
        if self._splitter is not None:
            self._splitter.close()
        for parser in self._parsers:
            parser.close()
        self._pool.close()


class TfLite:
    """Loads TensorFlow Lite models, each with a pool of interpreters.

    Unless ``listed``, inputs and outputs of models without SignatureDefs go by their tensors'
    names, as in TensorFlow Serving.
    """

    def __init__(self, runtime: Runtime, *, listed: bool = True) -> None:
        self._listed = listed
        self._size = max(1, runtime.tflite_pools)
        self._threads = max(1, runtime.intra_op_threads)
        self._interpreters = runtime.tflite_interpreters_per_pool

    def is_in(self, path: str) -> bool:
        """Whether a version folder has a TensorFlow Lite model."""
        return (Path(path) / _FILE).exists()

    def load(self, name: str, version: int, path: str) -> TfLiteModel:
        """See Platform.load.

        Raises ServingError: NOT_FOUND without the file, DATA_LOSS for one that is not whole,
        UNIMPLEMENTED for operations and types there are none of, INVALID_ARGUMENT otherwise.
        """
        file = Path(path) / _FILE
        try:
            # Not mapped: a file that changes in place must not change what is served.
            content = file.read_bytes()
        except FileNotFoundError as error:
            raise ServingError(Code.NOT_FOUND, f"there is no {_FILE} in {path}") from error
        except OSError as error:
            raise ServingError(Code.DATA_LOSS, f"Cannot read {file}: {error}") from error
        TRIALS.run(content)
        # Nothing is read from it before it is verified.
        self._built(content, file)
        signatures = signatures_of(content, listed=self._listed)
        with _reading(file):
            runnable, parsings = without_parsing(content)
            parsers = [ExampleParser(parsing) for parsing in parsings]
        if parsers:
            TRIALS.run(runnable)
        first = self._prepared(runnable, file)
        pool = Pool(lambda: self._prepared(runnable, file), first, self._size)
        return TfLiteModel(signatures, pool, parsers, self._splitter(first))

    def unload(self, servable: TfLiteModel) -> None:
        """See Platform.unload."""
        servable.close()

    def _splitter(self, interpreter: LiteInterpreter) -> Splitter | None:
        if self._interpreters <= 1:
            return None
        return Splitter(most_rows(interpreter.batch_size, self._interpreters), self._size)

    def _built(self, content: bytes, file: Path) -> Interpreter:
        try:
            return Interpreter(model_content=content, num_threads=self._threads)
        except ValueError as error:
            if str(error).startswith(_NO_OPERATION):
                raise _unimplemented(file, str(error)) from error
            raise ServingError(
                Code.DATA_LOSS, f"Cannot build FlatBufferModel from buffer. {file}: {error}"
            ) from error

    def _prepared(self, content: bytes, file: Path) -> LiteInterpreter:
        built = self._built(content, file)
        try:
            return LiteInterpreter(built)
        except (RuntimeError, ValueError) as error:
            if names := operations_of_tensorflow(content):
                reason = f"it is made of operations of TensorFlow: {', '.join(names)}"
                raise _unimplemented(file, reason) from error
            if str(error).startswith(_NO_OPERATION):
                raise _unimplemented(file, str(error)) from error
            raise _unsound(file, error) from error


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    """What fails because of what is in the file is told as a flaw of the file."""
    try:
        yield
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OpError) as error:
        raise _unsound(file, error) from error


def _unsound(file: Path, error: Exception) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"Cannot load the TFLite model {file}: {error}")


def _unimplemented(file: Path, reason: str) -> ServingError:
    first_line = reason.partition("\n")[0].rstrip(".")
    return ServingError(
        Code.UNIMPLEMENTED,
        f"The TFLite model {file} cannot run here: {first_line}. Convert it with TFLite's built-in"
        " operations only, or serve the SavedModel.",
    )
