"""The one kind of failure the server answers with: a canonical code and a message."""

import enum


class Code(enum.IntEnum):
    """Canonical status codes, with the numbers gRPC and TensorFlow give them.

    Source: ``google/rpc/code.proto``.
    """

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
    """A request or a load that failed: ``code`` for machines, ``message`` for the person."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.code.name}, {self.message!r})"


class ServableNotFound(ServingError):
    """No version that fits the request is available now; NOT_FOUND."""

    def __init__(self, request: str) -> None:
        super().__init__(Code.NOT_FOUND, f"Servable not found for request: {request}")


class UnknownLabel(ServingError):
    """The label asked for points at no version of the model; INVALID_ARGUMENT."""

    def __init__(self, label: str) -> None:
        super().__init__(Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}")


class LabelRefused(ServingError):
    """A label was pointed at a version that cannot take it now; FAILED_PRECONDITION."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(
            Code.FAILED_PRECONDITION,
            f"Request to assign label to version {version} of model {name}, "
            "which is not currently available for inference",
        )


class ModelVersionsNotFound(ServingError):
    """The state of a model, or of one of its versions, is not known; NOT_FOUND."""

    def __init__(self, name: str, version: int | None) -> None:
        wanted = "any versions" if version is None else f"version {version}"
        super().__init__(Code.NOT_FOUND, f"Could not find {wanted} of model {name}")


class InsufficientResources(ServingError):
    """Loading the servable would exceed the memory limit; RESOURCE_EXHAUSTED."""

    def __init__(self, servable: str) -> None:
        super().__init__(
            Code.RESOURCE_EXHAUSTED, f"Insufficient resources to load servable {servable}"
        )


class LoadCancelled(ServingError):
    """The version stopped being aspired before its load succeeded; CANCELLED."""

    def __init__(self, servable: str) -> None:
        super().__init__(Code.CANCELLED, f"Load of servable cancelled: {servable}")
