"""Loads one version: reserves memory for it, tries, and tries again as long as that makes sense."""

import logging
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from model_server.core.clock import Clock
from model_server.core.errors import Code, InsufficientResources, LoadCancelled, ServingError
from model_server.core.loader import Resources, S
from model_server.core.manager_options import ManagerOptions
from model_server.core.stream import Harness

_log = logging.getLogger(__name__)

T = TypeVar("T")


class LoadAttempts:
    """Runs in load threads; `changed` is the manager's lock, and is notified at every change."""

    def __init__(self, options: ManagerOptions, clock: Clock, changed: threading.Condition) -> None:
        self._options = options
        self._clock = clock
        self._changed = changed
        # Reservations are decided one after the other, so that a large servable that waits for
        # memory is not overtaken again and again by small ones.
        self._deciding = threading.Lock()

    def reserve(
        self, harness: Harness[S], harnesses: Callable[[], Iterable[Harness[S]]]
    ) -> Resources:
        """Take memory for the load, if need be after loads and unloads under way have ended.

        Raises InsufficientResources if none is under way, LoadCancelled, and INTERNAL if the
        estimate fails.
        """
        needed = self._estimate(harness)
        with self._deciding, self._changed:
            self._clock.wait_for(
                self._changed,
                lambda: (
                    not harness.aspired
                    or self._fits(needed, harnesses())
                    or not self._fits(needed, ())
                    or not any(other.is_under_way for other in harnesses())
                ),
                None,
            )
            if not harness.aspired:
                raise LoadCancelled(harness.id)
            if not self._fits(needed, harnesses()):
                raise InsufficientResources(harness.id)
            harness.reserved = needed.while_loading
            _log.info("Successfully reserved resources to load servable %s", harness.id)
            _log.info("Approving load for servable version %s", harness.id)
            return needed

    def load(self, harness: Harness[S]) -> S:
        """The servable, at the latest by the last retry.

        Raises the newest try's error, or LoadCancelled if the version is no longer aspired.
        """
        _log.info("Loading servable version %s", harness.id)
        return self._retried(f"Loading servable: {harness.id}", harness, harness.loader.load)

    def _estimate(self, harness: Harness[S]) -> Resources:
        what = f"Reserving resources for servable: {harness.id}"
        try:
            return self._retried(what, harness, harness.loader.estimate)
        except LoadCancelled:
            raise
        except ServingError as error:
            raise ServingError(
                Code.INTERNAL,
                "Error while attempting to reserve resources to load servable "
                f"{harness.id}: {error.message}",
            ) from error

    def _fits(self, needed: Resources, others: Iterable[Harness[S]]) -> bool:
        limit = self._options.memory_limit
        if limit is None:
            return True
        return sum(other.reserved for other in others) + needed.while_loading <= limit

    def _retried(self, what: str, harness: Harness[S], attempt: Callable[[], T]) -> T:
        retries = 0
        while True:
            if not harness.aspired:
                raise LoadCancelled(harness.id)
            try:
                return attempt()
            # A loader runs what users wrote: even an exit in there must only fail this load.
            except BaseException as raised:
                error = ServingError.of(raised)
                expected = isinstance(raised, ServingError)
                _log.error(
                    "%s failed: %s",
                    what,
                    error,
                    exc_info=None if expected else raised,
                    extra=harness.id.log_fields,
                )
            with self._changed:
                harness.error = error.without_frames()
            if not self._may_retry(what, harness, retries):
                raise error
            retries += 1
            _log.info("Retrying of %s retry: %d", what, retries, extra=harness.id.log_fields)

    def _may_retry(self, what: str, harness: Harness[S], retries: int) -> bool:
        """Whether to try again; if so, it is time to when this returns."""
        most = self._options.max_load_retries
        error = harness.error
        if retries >= most:
            _log.info(
                "Retrying of %s exhausted max_num_retries: %d",
                what,
                most,
                extra=harness.id.log_fields,
            )
            return False
        if error is None or not self._options.should_retry(error):
            return False
        with self._changed:
            interval = max(self._options.load_retry_interval, timedelta(0))
            if self._clock.wait_for(self._changed, lambda: not harness.aspired, interval):
                _log.info("Retrying of %s was cancelled.", what, extra=harness.id.log_fields)
                return False
        return True
