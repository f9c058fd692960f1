"""What a transport needs to know to answer some requests without Python."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NoReturn, Protocol

import grpc


class Otherwise(Protocol):
    """What is done with calls and requests that no signature answered, as the transport has them.

    These functions raise nothing.
    """

    def by_python(self, asked: Any) -> None:
        """Has it answered as if nothing had been decided for those like it."""

    def failed(self, asked: Any, code: int, message: str) -> None:
        """Tells that its run failed so."""

    def fault(self, asked: Any) -> None:
        """Tells that something of ours failed, just now."""


class OtherwiseByType:
    """Has others do it, each for what is of one type."""

    def __init__(self) -> None:
        self._of_type: dict[type, Otherwise] = {}

    def add(self, asked: type, otherwise: Otherwise) -> None:
        """From now on ``otherwise`` does it for what is of this type."""
        self._of_type[asked] = otherwise

    def by_python(self, asked: Any) -> None:
        """See Otherwise."""
        self._of_type[type(asked)].by_python(asked)

    def failed(self, asked: Any, code: int, message: str) -> None:
        """See Otherwise."""
        self._of_type[type(asked)].failed(asked, code, message)

    def fault(self, asked: Any) -> None:
        """See Otherwise."""
        self._of_type[type(asked)].fault(asked)


class Direct(Protocol):
    """Decides which requests to predict need no Python.

    ``of_spec`` and ``of_target`` give the ``modelfleet_transport.Signature`` that answers requests
    that are for the same, None if Python has to; so it is until the transport is told to forget.
    What of a bundle no signature can answer is answered ``otherwise``.
    """

    @property
    def otherwise(self) -> OtherwiseByType:
        """To which each API's own is to be added."""

    @property
    def path(self) -> str:
        """The method's full path in gRPC."""

    def of_spec(self, model_spec: bytes) -> Any:
        """By a ModelSpec of gRPC. Raises ServingError for one of nothing that there is."""

    def of_target(self, target: tuple[str, str]) -> Any:
        """By a path of REST with its query, and a signature's name. Raises ServingError, too."""

    def at_hand(self, model: str, entrypoint: str) -> AbstractContextManager[None]:
        """Counts a request of GRPC or REST as being at hand until the end of the block."""

    def failed(self, code: int, message: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        """The handler of a request of gRPC whose run failed so."""

    def refuse(self, signature: Any, code: int, message: str) -> NoReturn:
        """Raises ServingError for a request of REST whose run by a signature failed so."""
