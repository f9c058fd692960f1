"""Makes what is loaded match what is aspired, and lends out servables by counted handles."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Generic, Self

from model_server.core.clock import Clock, SystemClock
from model_server.core.errors import ServingError
from model_server.core.loader import Loader, Resources, S
from model_server.core.servable import ServableId, ServableStatus, State, StateChange


@dataclass(frozen=True, slots=True)
class ManagerOptions:
    """How to load.

    load_threads, unload_threads: how many at a time; 0 means one at a time.
    max_load_retries: tries after the first failure. load_retry_interval: negative means none.
    should_retry: whether an error is worth another try.
    limit: what all servables together may take; None is no limit.
    forget_ended_after: how long an unloaded version is still listed as END; None is for ever.
    reload_failed: load a failed version anew when it is aspired again.
    """

    load_threads: int = 0
    unload_threads: int = 0
    max_load_retries: int = 5
    load_retry_interval: timedelta = timedelta(seconds=60)
    should_retry: Callable[[ServingError], bool] = lambda error: True
    limit: Resources | None = None
    forget_ended_after: timedelta | None = timedelta(hours=1)
    reload_failed: bool = False
    # transition_policy: TransitionPolicy = AvailabilityPreserving()


@dataclass(frozen=True, slots=True)
class Reached:
    """The outcome of a wait: `ok` if all reached the state; `statuses` is what each was seen as."""

    ok: bool
    statuses: tuple[ServableStatus, ...]


class Handle(Generic[S]):
    """A counted borrow of a servable: while it is held, the servable is not unloaded.

    Use it as a context manager, or call `release` exactly when done. It has one owner.
    """

    __slots__ = ("id", "servable")
    id: ServableId
    servable: S

    def release(self) -> None:
        """Give the servable back; a second call does nothing."""

    def __enter__(self) -> Self:
        raise NotImplementedError

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raise NotImplementedError


class Manager(Generic[S]):
    """Loads and unloads in threads of its own. All methods are thread-safe and return at once,
    except `wait_until` and `stop`, which say how long they wait."""

    def __init__(
        self, options: ManagerOptions = ManagerOptions(), clock: Clock = SystemClock()
    ) -> None: ...

    def aspire(self, name: str, loaders: Mapping[int, Loader[S]]) -> None:
        """From now on exactly these versions of `name` should be loaded.

        A version that is aspired already keeps the loader it has; the new one is dropped unused.
        A version that is being unloaded is loaded afresh, when the old copy is gone.
        """

    def forget(self, name: str) -> None:
        """`name` is no longer served: the same as aspiring none of its versions."""

    def handle(self, name: str, version: int | None = None, label: str | None = None) -> Handle[S]:
        """Borrow a version; with neither version nor label, the highest available one.

        Raises ServableNotFound, UnknownLabel.
        """
        raise NotImplementedError

    def names(self) -> tuple[str, ...]:
        """Every stream that has a status, sorted."""
        raise NotImplementedError

    def available(self) -> tuple[ServableId, ...]:
        """The versions that can be had, sorted."""
        raise NotImplementedError

    def statuses(self, name: str, version: int | None = None) -> tuple[ServableStatus, ...]:
        """Every known version of `name`, newest version first; () if there is none."""
        raise NotImplementedError

    def last_error(self, name: str, version: int) -> ServingError | None:
        """Why the newest try to load a version failed; also set while it is being retried."""
        raise NotImplementedError

    def labels(self, name: str) -> Mapping[str, int]:
        """The version labels of `name`."""
        raise NotImplementedError

    def set_labels(
        self, labels: Mapping[str, Mapping[str, int]], allow_unavailable: bool = False
    ) -> None:
        """Replace all version labels, {model: {label: version}}; all or nothing.

        Raises LabelNotAssignable if a label would point at a version that is not available;
        with `allow_unavailable` only if that label points at another version already.
        """

    def set_load_threads(self, count: int) -> None:
        """How many versions may load at a time; for loading everything in parallel at start."""

    def wait_until(
        self,
        wanted: Iterable[str | ServableId],
        state: State = State.AVAILABLE,
        timeout: timedelta | None = None,
    ) -> Reached:
        """Block until each of `wanted` is in `state` or has ended, or time is up.

        A name is satisfied by any of its versions in `state`, and has ended when all its versions
        have. A name or version that nobody has aspired yet is waited for.
        """
        raise NotImplementedError

    def subscribe(self, receive: Callable[[StateChange], None]) -> Callable[[], None]:
        """Call `receive` at every change of state, in order; returns how to stop that.

        It is called by whichever thread made the change, with the manager locked: it must be
        quick and must not wait (for an event loop: `loop.call_soon_threadsafe`).
        """
        raise NotImplementedError

    def history(self) -> tuple[StateChange, ...]:
        """The newest changes of state, oldest first; bounded."""
        raise NotImplementedError

    def stop(self, timeout: timedelta) -> bool:
        """Load nothing more, unload everything; whether all of it ended in time.

        Waits for handles and for loads under way, which cannot be interrupted.
        """
        raise NotImplementedError
