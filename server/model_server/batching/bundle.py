"""Requests that come together, and are run and answered outside of Python."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

from model_server.batching.task import Task


@dataclass(frozen=True)
class Bundle:
    """So many ``requests`` of so many ``rows``; ``held`` is what stands for them elsewhere.

    Those of one ``kind`` can be of one batch: one takes over the requests of others by ``join``,
    which tells the rows of each request, and ``run`` runs them, filled up to so many rows, and
    answers. It tells the rows of those that it had to run by themselves after that, and raises
    nothing.
    """

    held: Any
    requests: int
    rows: int
    kind: Hashable
    join: Callable[[Sequence[Any]], Sequence[int]]
    run: Callable[[int], Sequence[int]]


class BundleTask(Task):
    """A bundle that waits for its batch, of which it is a part as it is.

    Its answer holds nothing, and tells when the requests have theirs.
    """

    is_divisible = False

    def __init__(self, bundle: Bundle, enqueued: float) -> None:
        super().__init__({}, bundle.rows, enqueued)
        self.bundle = bundle
        self.kind = bundle.kind
        self.requests = bundle.requests
