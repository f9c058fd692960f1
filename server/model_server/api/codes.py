"""The one place that says what a canonical code is in gRPC and in HTTP."""

import grpc

from model_server.core.errors import Code, MemberLost, ServingError

# Nothing was computed for want of another member of the group: routers ask elsewhere at once.
ELSEWHERE = ("x-modelfleet-retry", "elsewhere")

# TensorFlow Serving cuts what it sends in a gRPC status; REST bodies are whole.
_LONGEST_DETAILS = 1024

_GRPC = {code.value[0]: code for code in grpc.StatusCode}

_HTTP = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


# What OpenTelemetry calls an error of the server; others are the client's doing.
_FAULTS = frozenset(
    {
        Code.UNKNOWN,
        Code.DEADLINE_EXCEEDED,
        Code.UNIMPLEMENTED,
        Code.INTERNAL,
        Code.UNAVAILABLE,
        Code.DATA_LOSS,
    }
)


def is_fault(code: Code) -> bool:
    """Whether a request that ends with this code failed by the server's doing."""
    return code in _FAULTS


def grpc_status(code: Code) -> grpc.StatusCode:
    """gRPC's name for a canonical code."""
    return _GRPC[int(code)]


def http_status(code: Code) -> int:
    """The HTTP status for a canonical code."""
    return _HTTP[code]


def headers_of(error: ServingError) -> tuple[tuple[str, str], ...]:
    """What an answer says beside an error, as gRPC's trailers and HTTP's headers."""
    return (ELSEWHERE,) if isinstance(error, MemberLost) else ()


def details(message: str) -> str:
    """A message as it fits a gRPC status: at most 1024 bytes and a mark that it was cut."""
    text = message.encode("utf-8", "replace")
    if len(text) <= _LONGEST_DETAILS:
        return message
    return text[:_LONGEST_DETAILS].decode("utf-8", "ignore") + "...TRUNCATED"
