"""How a manager loads and unloads."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from model_server.core.errors import ServingError
from model_server.core.transition_policy import AvailabilityPreserving, TransitionPolicy


def _always(error: ServingError) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class ManagerOptions:
    """The defaults are those of TensorFlow Serving, save `forget_ended_after`: it never forgets.

    load_threads, unload_threads: how many at a time; 0 means one at a time.
    max_load_retries: tries after the first failure. load_retry_interval: negative means none.
    should_retry: whether an error is worth another try.
    memory_limit: bytes that all servables together may take; None is no limit.
    forget_ended_after: how long an unloaded version is still listed as END; None is for ever.
    reload_failed: load a failed version anew when it is aspired again, so at every poll.
    """

    load_threads: int = 0
    unload_threads: int = 0
    max_load_retries: int = 5
    load_retry_interval: timedelta = timedelta(seconds=60)
    should_retry: Callable[[ServingError], bool] = _always
    memory_limit: int | None = None
    forget_ended_after: timedelta | None = timedelta(hours=1)
    reload_failed: bool = False
    transition_policy: TransitionPolicy = field(default_factory=AvailabilityPreserving)
