"""What a servable is called and the states that users see it in."""

import enum
from dataclasses import dataclass
from datetime import datetime

from model_server.core.errors import ServingError


@dataclass(frozen=True, order=True, slots=True)
class ServableId:
    """One version of a servable stream; `version` is an int64 >= 0."""

    name: str
    version: int

    @property
    def log_fields(self) -> dict[str, object]:
        """What a log record about this version says of it, for ``extra``."""
        return {"model": self.name, "version": self.version}

    def __str__(self) -> str:
        return f"{{name: {self.name} version: {self.version}}}"


class State(enum.IntEnum):
    """The states that GetModelStatus reports, numbered as in get_model_status.proto.

    AVAILABLE is reported after the servable can be had, UNLOADING before it no longer can.
    """

    UNKNOWN = 0
    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(frozen=True, slots=True)
class ServableStatus:
    """The state of one version, and why it ended if it did not end well."""

    id: ServableId
    state: State
    error: ServingError | None = None


@dataclass(frozen=True, slots=True)
class StateChange:
    """A status and when it began."""

    status: ServableStatus
    at: datetime
