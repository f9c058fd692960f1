"""Which platforms there are: those of installed packages, found by entry point, and those of flags.

Names are listed without importing anything; a platform's module is imported when a model is first
loaded with it, so that a server pays only for the platforms it uses.
"""

import gc
import sys
import threading
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from model_server.core.errors import Code, ServingError
from model_server.servables.platform import Platform, Runtime

GROUP = "modelfleet.servables"

_OWN = "model_server."
# These run code that lies beside a model. Whoever may write to a model's folder, or may name one
# in a HandleReloadConfigRequest, must not thereby run code in the server.
_OFF = frozenset({"python"})


class Platforms:
    """The platforms by name; each is imported and made when a model first asks for it.

    ``chosen`` are more platforms: name to ``module:Class``, which goes before those of packages, or
    name to None for an installed platform that is off by itself. Raises ServingError,
    INVALID_ARGUMENT, if such a one is not installed. ``named`` are runtimes of single platforms.
    """

    def __init__(
        self,
        runtime: Runtime,
        chosen: Mapping[str, str | None] | None = None,
        named: Mapping[str, Runtime] | None = None,
    ) -> None:
        self._runtime = runtime
        self._named = named or {}
        self._found = _by_name(entry_points(group=GROUP))
        for name, value in (chosen or {}).items():
            if value is not None:
                self._found[name] = [EntryPoint(name, value, GROUP)]
            elif name not in self._found:
                raise _unknown(name, self._found)
        self.off = _OFF & self._found.keys() - (chosen or {}).keys()
        self._made: dict[str, Platform] = {}
        self._making = threading.Lock()

    @property
    def names(self) -> list[str]:
        """What ``model_platform`` may say, sorted."""
        return sorted(self._found.keys() - self.off)

    def platform(self, name: str) -> Platform:
        """The platform of this name; from any thread.

        Raises ServingError, FAILED_PRECONDITION, if it cannot be imported or is no platform.
        """
        with self._making:
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name]

    def _make(self, name: str) -> Platform:
        if len(self._found[name]) > 1:
            packages = " and ".join(sorted(_origin(point) for point in self._found[name]))
            raise _unusable(
                name,
                f"{packages} both provide it; remove one or choose with"
                f" --servable_platforms={name}=MODULE:CLASS",
            )
        (point,) = self._found[name]
        try:
            kind: Any = _imported(point)
            made: Platform = kind(self._named.get(name, self._runtime))
        except Exception as error:
            # Importing runs code of somebody's package, which may raise anything.
            reason = f"{point.value}: {type(error).__name__}: {error}"
            raise _unusable(name, reason) from error
        for method in ("load", "unload"):
            if not callable(getattr(made, method, None)):
                raise _unusable(name, f"{point.value} has no method {method}")
        return made


def check_servable(name: str, servable: object) -> None:
    """Raises ServingError, FAILED_PRECONDITION, if what this platform loaded cannot be served."""
    lacking = [
        what
        for what, there in {
            "signatures": isinstance(getattr(servable, "signatures", None), Mapping),
            "method run": callable(getattr(servable, "run", None)),
        }.items()
        if not there
    ]
    if lacking:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f"platform {name} loaded a {type(servable).__name__} that has no"
            f" {' and no '.join(lacking)}",
        )


def _imported(point: EntryPoint) -> Any:
    """What the entry point names.

    The modules of a platform are hundreds of thousands of objects that stay for ever. The collector
    of cycles would look at all of them again and again: a tenth of a second each time, in which no
    request is answered, and many times while they are imported.
    """
    if point.module in sys.modules:
        return point.load()
    gc.disable()
    try:
        return point.load()
    finally:
        # Once, or what imports left behind would stay, too: 15 MB of TensorFlow's.
        gc.collect()
        gc.freeze()
        gc.enable()


def _by_name(points: Iterable[EntryPoint]) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in points:
        found.setdefault(point.name, []).append(point)
    # A package cannot take the place of a platform that the server has itself.
    return {
        name: [point for point in same if point.value.startswith(_OWN)] or same
        for name, same in found.items()
    }


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.value


def _unknown(name: str, found: Iterable[str]) -> ServingError:
    return ServingError(
        Code.INVALID_ARGUMENT,
        f"--servable_platforms has {name}, which no installed package brings;"
        f" there are: {', '.join(sorted(found))}",
    )


def _unusable(name: str, reason: str) -> ServingError:
    return ServingError(Code.FAILED_PRECONDITION, f"platform {name} cannot be used here: {reason}")
