"""What classify and regress have in common: a signature fed with Examples, checked around it.

Source: TensorFlow Serving ``servables/tensorflow/{classifier,regressor}.cc``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from model_server.core.errors import Code, ServingError
from model_server.servables import dtypes
from model_server.servables.signature import Signature, Tensor, Tensors

INPUTS = "inputs"

R = TypeVar("R", covariant=True)


class ExampleTask(Protocol[R]):
    """Classify or regress."""

    @property
    def api(self) -> str:
        """The method's name in metrics."""

    def check(self, signature: Signature) -> None:
        """Raises ServingError for a signature of another shape."""

    def outputs(self, signature: Signature) -> Sequence[str]:
        """The aliases of the outputs to run."""

    def result(self, outputs: Tensors, count: int) -> R:
        """What the outputs for ``count`` examples say. Raises ServingError."""


@dataclass(frozen=True)
class Answered(Generic[R]):
    """A result, and the servable and signature that made it."""

    name: str
    version: int
    signature_name: str
    result: R


def check_method_name(signature: Signature, word: str, method_name: str) -> None:
    """Raises ServingError for a signature of another method; ``word`` is the method's noun."""
    if signature.method_name != method_name:
        raise invalid(
            f"Expected {word} signature method_name to be {method_name}."
            f" Was: {signature.method_name}"
        )


def described(signature: Signature) -> str:
    """A signature as text for messages."""
    inputs = ", ".join(f"{alias}: {spec.dtype.name}" for alias, spec in signature.inputs.items())
    outputs = ", ".join(f"{alias}: {spec.dtype.name}" for alias, spec in signature.outputs.items())
    return f"inputs {{{inputs}}} outputs {{{outputs}}} method_name: {signature.method_name}"


def shape_text(array: Tensor) -> str:
    """A shape as TensorFlow writes it."""
    return f"[{','.join(map(str, array.shape))}]"


def type_text(array: Tensor) -> str:
    """A type's name in TensorFlow's enum."""
    dtype = dtypes.BY_NUMPY.get(array.dtype)
    return f"DT_{dtype.name.upper()}" if dtype else str(array.dtype)


def invalid(message: str) -> ServingError:
    """An INVALID_ARGUMENT error."""
    return ServingError(Code.INVALID_ARGUMENT, message)


def precondition(message: str) -> ServingError:
    """A FAILED_PRECONDITION error."""
    return ServingError(Code.FAILED_PRECONDITION, message)
