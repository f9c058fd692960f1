"""Which platforms there are, found by entry point so that a package can add one."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Platform, Runtime

GROUP = "modelfleet.servables"

_SHIPPED = {"tensorflow": "model_server.servables.saved_model:TensorFlow"}


class Platforms:
    """The platforms by name; each is imported and made when a model first asks for it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        shipped = {name: EntryPoint(name, value, GROUP) for name, value in _SHIPPED.items()}
        self._found = {point.name: point for point in entry_points(group=GROUP)} | shipped
        self._made: dict[str, Platform] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def platform(self, name: str) -> Platform:
        """The platform of this name. Raises ServingError if its package cannot be imported."""
        if name not in self._made:
            try:
                kind: Any = self._found[name].load()
            except (ImportError, AttributeError) as error:
                raise ServingError(
                    Code.FAILED_PRECONDITION, f"platform {name} cannot be used here: {error}"
                ) from error
            self._made[name] = kind(self._runtime)
        return self._made[name]
