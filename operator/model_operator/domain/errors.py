"""The errors that somebody catches, in one tree."""

# What reading JSON may raise that somebody else wrote: other fields or kinds of values than
# expected, numbers like 1e999, and lists in lists without end.
UNREADABLE = (
    AttributeError,
    KeyError,
    OverflowError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
)


class OperatorError(Exception):
    """Any error this operator raises itself."""


class InvalidSpec(OperatorError):
    """The user's spec asks for something that cannot be; carries the field and what is wrong."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


class ApiError(OperatorError):
    """The API server refused a request; carries its words and the HTTP status."""

    def __init__(self, request: str, status: int, message: str) -> None:
        super().__init__(f"{request}: {message} (HTTP {status})")
        self.status = status
        self.message = message
