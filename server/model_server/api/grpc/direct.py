"""What a transport needs to know to answer some requests without Python."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import grpc


class Otherwise(Protocol):
    """What is to be done with a call, a ``modelfleet_transport.Call``; it raises nothing."""

    def by_python(self, call: Any) -> None:
        """Has it answered as if nothing had been decided for calls like it."""

    def failed(self, call: Any, code: int, message: str) -> None:
        """Tells that its run failed so."""


class Direct(Protocol):
    """Decides which requests of one method need no Python."""

    @property
    def path(self) -> str:
        """The method's full path."""

    def signature(self, model_spec: bytes) -> Any:
        """The ``modelfleet_transport.Signature`` that answers requests with this ModelSpec.

        None if Python has to. So it is until the transport is told to forget. Bundles of a
        signature are to be given an ``Otherwise``. Raises ServingError for a ModelSpec of nothing
        that there is.
        """

    def at_hand(self, model: str) -> AbstractContextManager[None]:
        """Counts a request as being at hand until the end of the block."""

    def failed(self, code: int, message: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
        """The handler of a request whose run failed so."""
