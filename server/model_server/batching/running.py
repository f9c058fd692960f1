"""Runs one batch and gives each of its tasks what is its own."""

import logging
from collections.abc import Sequence
from typing import Protocol

from model_server.batching.bundle import Taken
from model_server.batching.queue import Batch
from model_server.batching.ran import Ran
from model_server.batching.rows import merged, parted, size_to_run
from model_server.batching.task import Part

_log = logging.getLogger(__name__)


class Observer(Protocol):
    """Whoever counts; called by the threads that run batches."""

    def waited(self, seconds: Sequence[float]) -> None:
        """Each of these tasks was so long in its queue."""

    def ran(self, ran: Ran) -> None:
        """A run was begun."""


def run_batch(batch: Batch, observer: Observer) -> None:
    """Answers every task of the batch, and raises nothing.

    If the batch fails, each part is run by itself and as it was sent: a request that cannot be
    answered is no reason to refuse others, nor is a model whose outputs are not rows.
    """
    if batch.taken is not None:
        _run_taken(batch.taken, batch, observer)
        return
    try:
        _run_together(batch, observer)
    except BaseException as error:
        # A platform may be anybody's code; whatever it raises, somebody waits for an answer.
        if _is_as_sent(batch):
            batch.parts[0].task.fail(error)
            return
        _log.debug("a batch of %d failed, each is run by itself: %s", len(batch.parts), error)
        for part in batch.parts:
            _run_alone(part, batch, observer)


def _run_taken(taken: Taken, batch: Batch, observer: Observer) -> None:
    try:
        observer.waited(batch.waited)
        rows = batch.rows
        size = size_to_run(rows, batch.rules.allowed_sizes)
        observer.ran(Ran(taken.rows, size, size - rows))
        for alone in taken.run(size):
            observer.ran(Ran([alone], alone, 0))
    except BaseException as error:
        _log.exception("a batch of bundles failed unexpectedly")
        taken.fail(error)


def _run_together(batch: Batch, observer: Observer) -> None:
    observer.waited(batch.waited)
    parts = batch.parts
    counts = [part.rows for part in parts]
    rows = sum(counts)
    size = _size(batch)
    inputs = merged([part.inputs for part in parts], size)
    observer.ran(Ran(counts, size, size - rows))
    outputs = batch.run(inputs)
    if _is_as_sent(batch):
        parts[0].task.succeed(parts[0], outputs)
        return
    for part, own in zip(parts, parted(outputs, counts, size), strict=True):
        part.task.succeed(part, own)


def _run_alone(part: Part, batch: Batch, observer: Observer) -> None:
    try:
        observer.ran(Ran([part.rows], part.rows, 0))
        outputs = batch.run(part.inputs)
        if not part.is_whole:
            (outputs,) = parted(outputs, [part.rows], part.rows)
        part.task.succeed(part, outputs)
    except BaseException as error:
        part.task.fail(error)


def _is_as_sent(batch: Batch) -> bool:
    """Whether the batch is one request and nothing but it: then the outputs are its answer."""
    first = batch.parts[0]
    return len(batch.parts) == 1 and first.is_whole and _size(batch) == first.rows


def _size(batch: Batch) -> int:
    rows = sum(part.rows for part in batch.parts)
    # Without a row there is nothing to pad with.
    return size_to_run(rows, batch.rules.allowed_sizes) if rows else 0
