"""The platform ``python``: a user's class ``Model`` in the version folder's ``model.py``.

The class says its ``signatures`` (see ``python_signatures``) and has a method
``predict(inputs, signature)``: a dict of arrays and a signature's name in, a dict of arrays (or of
what becomes one) out. It may have ``load(folder)``, called once with a path before anything else,
and ``unload()``. Strings are object arrays of bytes. One call runs at a time, unless the class says
``concurrent = True``.
"""

import logging
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

from model_server.core.errors import Code, ServingError
from model_server.servables.conformity import Unfit, check_shapes, conforming
from model_server.servables.platform import Runtime
from model_server.servables.python import module as python_module
from model_server.servables.python.signatures import InvalidSignatures, signatures_of
from model_server.servables.signature import Signature, Tensor, Tensors

_log = logging.getLogger(__name__)


class PythonModel:
    """One loaded ``Model``, guarded from its callers and they from it."""

    def __init__(self, module: ModuleType, model: Any, signatures: Mapping[str, Signature]) -> None:
        self.module = module
        self.model = model
        self.signatures = signatures
        concurrent = getattr(model, "concurrent", False) is True
        self._turn: AbstractContextManager[Any] = nullcontext() if concurrent else threading.Lock()

    def run(self, signature: Signature, inputs: Tensors, outputs: Sequence[str]) -> list[Tensor]:
        """See Servable.run.

        Raises ServingError: INVALID_ARGUMENT for an input of another shape and for a ValueError of
        the model, INTERNAL for its other exceptions and for outputs that are not as promised.
        """
        check_shapes(signature, inputs)
        # Decoded arrays may lie in the request's own bytes; the model may write to its inputs.
        own = {
            alias: inputs[alias] if inputs[alias].flags.writeable else inputs[alias].copy()
            for alias in signature.inputs
        }
        with self._turn:
            answer = self._predict(own, signature.name)
        if not isinstance(answer, Mapping):
            raise _internal(f"predict returned a {type(answer).__name__} instead of a dict")
        return [self._output(answer, signature, alias) for alias in outputs]

    def _predict(self, inputs: Tensors, signature: str) -> Any:
        try:
            return self.model.predict(inputs, signature)
        except ServingError:
            raise
        except ValueError as error:
            raise ServingError(Code.INVALID_ARGUMENT, str(error) or "ValueError") from error
        except (Exception, SystemExit) as error:
            # Somebody's code: whatever it raises concerns this request only.
            _log.warning("predict of a model failed", exc_info=True)
            raise _internal(f"predict raised {_described(error, self.module.__file__)}") from error

    def _output(self, answer: Mapping[Any, Any], signature: Signature, alias: str) -> Tensor:
        if alias not in answer:
            raise _internal(f"predict returned no output {alias}")
        try:
            return conforming(answer[alias], signature.outputs[alias])
        except Unfit as error:
            raise _internal(f"predict returned an unfit output {alias}: {error}") from error


class Python:
    """Loads ``model.py`` files."""

    def __init__(self, runtime: Runtime) -> None:
        """Takes nothing of the server's flags."""

    def load(self, name: str, version: int, path: str) -> PythonModel:
        """See Platform.load.

        Raises ServingError: NOT_FOUND without the file, INVALID_ARGUMENT for a class that is not as
        it should be, INTERNAL for what its code raises.
        """
        folder = Path(path)
        file = folder / python_module.FILE
        if not file.is_file():
            raise ServingError(Code.NOT_FOUND, f"there is no {python_module.FILE} in {path}")
        module = _guarded(str(file), "importing it", lambda: python_module.import_model(folder))
        try:
            return _loaded(module, folder)
        except ServingError:
            python_module.forget(module)
            raise

    def unload(self, servable: PythonModel) -> None:
        """See Platform.unload. What the model raises is logged."""
        try:
            getattr(servable.model, "unload", lambda: None)()
        except (Exception, SystemExit):
            _log.warning("unload of a model failed", exc_info=True)
        python_module.forget(servable.module)
        servable.model = None


def _loaded(module: ModuleType, folder: Path) -> PythonModel:
    file = module.__file__
    kind = getattr(module, "Model", None)
    if not isinstance(kind, type) or not callable(getattr(kind, "predict", None)):
        raise _invalid(f"{file} must have a class Model with a method predict(inputs, signature)")
    model = _guarded(file, "Model()", kind)
    load = getattr(model, "load", None)
    if load is not None:
        _guarded(file, "load", lambda: load(folder))
    try:
        return PythonModel(module, model, signatures_of(getattr(model, "signatures", None)))
    except InvalidSignatures as error:
        raise _invalid(f"{file}: {error}") from error


def _guarded(file: str | None, what: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except ServingError:
        raise
    except (Exception, SystemExit) as error:
        raise _internal(f"{file}: {what} raised {_described(error, file)}") from error


def _described(error: BaseException, file: str | None) -> str:
    """An exception in one line, with the last line of the model's file that it came through."""
    text = f"{type(error).__name__}: {error}".removesuffix(": ")
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f"{text} (line {lines[-1]})" if lines else text


def _internal(message: str) -> ServingError:
    return ServingError(Code.INTERNAL, message)


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
