"""Which servable, and which of its signatures, a request is for."""

from typing import NamedTuple

from model_server.core.errors import Code, ServingError
from model_server.servables.signature import DEFAULT_SIGNATURE


class ModelSpec(NamedTuple):
    """A model's name, and at most one of version and label; neither means the highest available."""

    name: str
    version: int | None = None
    label: str | None = None
    signature_name: str = ""

    @property
    def signature(self) -> str:
        """The signature's name, the default one if the request names none."""
        return self.signature_name or DEFAULT_SIGNATURE


def check_name(spec: ModelSpec) -> None:
    """Raises ServingError for a spec without a model's name."""
    if not spec.name:
        raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
