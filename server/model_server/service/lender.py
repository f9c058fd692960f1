"""Where a use case borrows the servable that a request is for."""

from dataclasses import dataclass
from typing import Protocol

from model_server.core.lending import Handle, Lent
from model_server.core.servable import ServableId
from model_server.servables.platform import Servable


class Lender(Protocol):
    """Lends servables: the manager, or whoever has one that is not available yet."""

    def handle(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Handle[Servable]:
        """Borrows a servable. Raises ServingError if there is none that the request may use."""


@dataclass(frozen=True)
class OnlyLender:
    """Lends the same servable whatever is asked for: one that loads, to its warm-up."""

    id: ServableId
    servable: Servable

    def handle(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Handle[Servable]:
        """See Lender."""
        handle = Lent(self.id, self.servable, _nothing).borrow()
        assert handle is not None  # only a recall refuses, and nobody else knows of this one
        return handle


def _nothing() -> None:
    pass
