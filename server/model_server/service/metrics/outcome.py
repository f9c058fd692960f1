"""How a piece of work ended, as a canonical code."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from model_server.core.errors import Code, ServingError


@contextmanager
def outcome(ended: Callable[[Code], None]) -> Iterator[None]:
    """Tells ``ended`` how the block ends: OK, a ServingError's code, or INTERNAL for all else."""
    code = Code.INTERNAL
    try:
        yield
        code = Code.OK
    except ServingError as error:
        code = error.code
        raise
    finally:
        ended(code)
