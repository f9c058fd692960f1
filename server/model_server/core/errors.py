"""What can go wrong in serving: canonical codes, and the words of TensorFlow Serving."""

import enum
from collections.abc import Iterable
from typing import Self


class Code(enum.IntEnum):
    """The canonical codes of gRPC (google.rpc.Code); transports translate them at the edge."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class ServingError(Exception):
    """A failure with a canonical code and a message for the person who caused it.

    `str()` is "CODE: message", as TensorFlow Serving logs a status; transports send `message`.
    """

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"

    @classmethod
    def of(cls, error: BaseException) -> "ServingError":
        """`error` itself if it is one of ours, else the nearest canonical code and its text."""
        if isinstance(error, ServingError):
            return error
        text = str(error) or type(error).__name__
        return ServingError(_canonical(error), text)

    def without_frames(self) -> Self:
        """Itself, fit to be kept: what it was raised from would keep whole models in memory."""
        self.__cause__ = self.__context__ = None
        return self.with_traceback(None)


def _canonical(error: BaseException) -> Code:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return Code.NOT_FOUND
        case PermissionError():
            return Code.PERMISSION_DENIED
        case MemoryError():
            return Code.RESOURCE_EXHAUSTED
        case TimeoutError():
            return Code.DEADLINE_EXCEEDED
        case NotImplementedError():
            return Code.UNIMPLEMENTED
        case OSError():
            return Code.UNAVAILABLE
        case _:
            return Code.UNKNOWN


class ServableNotFound(ServingError):
    """No version that the request may use is available (NOT_FOUND)."""

    def __init__(self, name: str, version: int | None = None) -> None:
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        super().__init__(Code.NOT_FOUND, f"Servable not found for request: {wanted}")
        self.name = name
        self.version = version


class UnknownLabel(ServingError):
    """The request names a version label that the model does not have (INVALID_ARGUMENT)."""

    def __init__(self, label: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")
        self.label = label


class LabelNotAssignable(ServingError):
    """A label would point at a version that is not available (FAILED_PRECONDITION)."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            f"Request to assign label to version {version} of model {name}, "
            "which is not currently available for inference",
        )
        self.name = name
        self.version = version


class UnknownModel(ServingError):
    """A status was asked of a model, or of a version, that nobody knows (NOT_FOUND)."""

    def __init__(self, name: str, version: int | None = None) -> None:
        missing = "any versions" if version is None else f"version {version}"
        super().__init__(Code.NOT_FOUND, f"Could not find {missing} of model {name}")
        self.name = name
        self.version = version


class InsufficientResources(ServingError):
    """A servable does not fit beside what is loaded (RESOURCE_EXHAUSTED)."""

    def __init__(self, servable: object) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED, f"Insufficient resources to load servable {servable}"
        )


class MemberLost(ServingError):
    """Another member of the server's group cannot answer; a server of another group may."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.UNAVAILABLE, message)


class LoadCancelled(ServingError):
    """A version stopped being aspired before it could be loaded (CANCELLED)."""

    def __init__(self, servable: object) -> None:
        super().__init__(Code.CANCELLED, f"Load of servable cancelled: {servable}")


class NotAvailable(ServingError):
    """Servables that were waited for ended instead of becoming available (UNKNOWN)."""

    @classmethod
    def because(cls, ended: Iterable[tuple[object, ServingError | None]], kind: str) -> Self:
        """`ended` are (servable id, why); `kind` is "servable" at start, "model" at a reload."""
        reasons = [
            f"{{{servable}{'' if why is None else f' due to error: {why}'}}}, "
            for servable, why in ended
        ]
        message = f"{len(reasons)} {kind}(s) did not become available: {{{''.join(reasons)}}}"
        return cls(Code.UNKNOWN, message)
