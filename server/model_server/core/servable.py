"""What is known of a servable from outside: its id, its state and why it failed."""

import dataclasses
import enum

from model_server.core.errors import ServingError


@dataclasses.dataclass(frozen=True, order=True, slots=True)
class ServableId:
    """One version of one model. ``version`` is 0 or more and fits an int64."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.version}}}"


class State(enum.IntEnum):
    """States of a version, with the numbers of ``ModelVersionStatus.State``.

    A version only ever moves forward; a version aspired again after END begins a new life at START.
    """

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True, slots=True)
class ServableStatus:
    """A servable's state; ``error`` is set only on a version that ended because it failed."""

    id: ServableId
    state: State
    error: ServingError | None = None
