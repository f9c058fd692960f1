"""Which failed loads are worth another try."""

from model_server.core.errors import Code, ServingError

# What these say does not change by waiting: the files are whole, and wrong for this server. Missing
# files, short ones and those that do not parse may be on their way, so the other codes are retried.
_FINAL = frozenset(
    {
        Code.INVALID_ARGUMENT,
        Code.FAILED_PRECONDITION,
        Code.UNIMPLEMENTED,
        Code.ALREADY_EXISTS,
        Code.UNAUTHENTICATED,
    }
)
_UNKNOWN_OPERATION = "Op type not registered"


def may_pass(error: ServingError) -> bool:
    """Whether the next try to load the same folder may end otherwise."""
    # TensorFlow reports an operation it does not know as NOT_FOUND.
    return error.code not in _FINAL and _UNKNOWN_OPERATION not in error.message
