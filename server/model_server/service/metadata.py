"""The use case metadata: which signatures a servable has."""

from dataclasses import dataclass

from model_server.servables.platform import Servable
from model_server.service.lender import Lender
from model_server.service.model_spec import ModelSpec, check_name


@dataclass(frozen=True)
class Metadata:
    """A servable that was asked about; its signatures do not change while it is loaded."""

    name: str
    version: int
    servable: Servable


def metadata(lender: Lender, spec: ModelSpec) -> Metadata:
    """The servable a spec selects. Raises ServingError."""
    check_name(spec)
    with lender.handle(spec.name, spec.version, spec.label) as handle:
        return Metadata(spec.name, handle.id.version, handle.servable)
