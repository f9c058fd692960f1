"""Makes what is loaded match what is aspired, and lends out servables by counted handles."""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Generic

from model_server.core.clock import SYSTEM_CLOCK, Clock
from model_server.core.errors import (
    LabelNotAssignable,
    LoadCancelled,
    ServableNotFound,
    ServingError,
    UnknownLabel,
)
from model_server.core.lane import Lane
from model_server.core.lending import Handle, Lent
from model_server.core.load_attempts import LoadAttempts
from model_server.core.loader import Loader, S
from model_server.core.manager_options import ManagerOptions
from model_server.core.servable import ServableId, ServableStatus, State, StateChange
from model_server.core.state_monitor import Reached, Receive, StateMonitor
from model_server.core.stream import Harness, Stream
from model_server.core.transition_policy import Action, Phase, Verb

__all__ = ["Handle", "Manager", "ManagerOptions", "Reached"]

_log = logging.getLogger(__name__)

_DEFAULTS = ManagerOptions()


class Manager(Generic[S]):
    """Loads and unloads in threads of its own. All methods are thread-safe and return at once,
    except `wait_until` and `stop`, which say how long they wait.

    There is no loop: whatever may allow a next step (a new aspiration, the end of a load or of an
    unload, the last handle returned) asks the transition policy for it there and then.
    """

    def __init__(self, options: ManagerOptions = _DEFAULTS, clock: Clock = SYSTEM_CLOCK) -> None:
        self._options = options
        self._clock = clock
        # Guards everything below but _serving, which is replaced whole and read without a lock.
        self._changed = threading.Condition(threading.RLock())
        self._streams: dict[str, Stream[S]] = {}
        self._monitor = StateMonitor()
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._stopping = False
        # {name: {version: ..., None: the highest}}
        self._serving: Mapping[str, Mapping[int | None, Lent[S]]] = {}
        self._loads = Lane("load", options.load_threads)
        self._unloads = Lane("unload", options.unload_threads)
        self._attempts = LoadAttempts(options, clock, self._changed)

    def aspire(self, name: str, loaders: Mapping[int, Loader[S]]) -> None:
        """From now on exactly these versions of `name` should be loaded.

        A version that is aspired already keeps the loader it has; the new one is dropped unused.
        A version that is being loaded or unloaded after it was no longer aspired is loaded afresh,
        when the old copy is gone.
        """
        with self._changed:
            if self._stopping:
                return
            stream = self._streams.setdefault(name, Stream(name))
            stream.aspire(dict(loaders), self._options.reload_failed)
            self._advance(stream)

    def forget(self, name: str) -> None:
        """`name` is no longer served: its versions unload and its labels vanish."""
        with self._changed:
            self._labels = {other: of for other, of in self._labels.items() if other != name}
            self.aspire(name, {})

    def handle(self, name: str, version: int | None = None, label: str | None = None) -> Handle[S]:
        """Borrow a version; with neither version nor label, the highest available one.

        Raises ServableNotFound, UnknownLabel.
        """
        if label is not None:
            version = self._labels.get(name, {}).get(label)
            if version is None:
                raise UnknownLabel(label)
        while True:
            stream = self._serving.get(name)
            lent = None if stream is None else stream.get(version)
            if lent is None:
                raise ServableNotFound(name, version)
            handle = lent.borrow()
            # None: it was recalled since we looked, and _serving has changed before that.
            if handle is not None:
                return handle

    def names(self) -> tuple[str, ...]:
        """Every stream that has a status, sorted."""
        with self._changed:
            self._forget_gone()
            return self._monitor.names()

    def available(self) -> tuple[ServableId, ...]:
        """The versions that can be had, sorted."""
        serving = self._serving
        return tuple(sorted({lent.id for stream in serving.values() for lent in stream.values()}))

    def statuses(self, name: str, version: int | None = None) -> tuple[ServableStatus, ...]:
        """Every known version of `name`, newest version first, or the one; () if unknown."""
        with self._changed:
            self._forget_gone()
            if version is None:
                return self._monitor.statuses(name)
            status = self._monitor.status(ServableId(name, version))
            return () if status is None else (status,)

    def last_error(self, name: str, version: int) -> ServingError | None:
        """Why the newest try to load a version failed; also set while it is being retried."""
        with self._changed:
            stream = self._streams.get(name)
            if stream is not None and version in stream.harnesses:
                return stream.harnesses[version].error
            status = self._monitor.status(ServableId(name, version))
            return None if status is None else status.error

    def labels(self, name: str) -> Mapping[str, int]:
        """The version labels of `name`."""
        return self._labels.get(name, {})

    def set_labels(
        self, labels: Mapping[str, Mapping[str, int]], allow_unavailable: bool = False
    ) -> None:
        """Replace all version labels, {model: {label: version}}; all or nothing.

        Raises LabelNotAssignable if a label would point at a version that is not available;
        with `allow_unavailable` only if that label points at another version already.
        """
        with self._changed:
            for name, versions in labels.items():
                for label, version in versions.items():
                    has_moved = self._labels.get(name, {}).get(label, version) != version
                    may_be_missing = allow_unavailable and not has_moved
                    if not may_be_missing and version not in self._serving.get(name, {}):
                        raise LabelNotAssignable(name, version)
            self._labels = {name: dict(versions) for name, versions in labels.items()}

    def set_load_threads(self, count: int) -> None:
        """How many versions may load at a time; for loading everything in parallel at start."""
        self._loads.resize(count)

    def wait_until(
        self,
        wanted: Iterable[str | ServableId],
        state: State = State.AVAILABLE,
        timeout: timedelta | None = None,
    ) -> Reached:
        """Block until each of `wanted` is in `state` or has ended, or time is up.

        A name is satisfied by any of its versions in `state` (for END: by all of them), and has
        ended when all the versions that are aspired have. A name or version that nobody has
        aspired yet is waited for. If time is up, `statuses` is everything known of `wanted`.
        """
        wanted = tuple(wanted)
        reached: Reached | None = None

        def is_over() -> bool:
            nonlocal reached
            reached = self._monitor.reached(wanted, state, self._managed)
            return reached is not None

        with self._changed:
            self._clock.wait_for(self._changed, is_over, timeout)
            return reached or Reached(False, self._known(wanted))

    def subscribe(self, receive: Receive) -> Callable[[], None]:
        """Call `receive` at every change of state, in order; returns how to stop that.

        It is called by whichever thread made the change, with the manager locked: it must be
        quick and must not wait (for an event loop: `loop.call_soon_threadsafe`).
        """
        with self._changed:
            self._monitor.subscribe(receive)
        return partial(self._unsubscribe, receive)

    def history(self) -> tuple[StateChange, ...]:
        """The newest changes of state, oldest first; bounded."""
        with self._changed:
            return self._monitor.history()

    def stop(self, timeout: timedelta) -> bool:
        """Load nothing more, unload everything; whether all of it ended in time.

        Waits for handles and for loads under way, which cannot be interrupted.
        """
        with self._changed:
            for name in tuple(self._streams):
                self.aspire(name, {})
            self._stopping = True
            return self._clock.wait_for(self._changed, lambda: not self._streams, timeout)

    # What follows is called with the lock held, save _load and _unload, which threads run.

    def _advance(self, stream: Stream[S]) -> None:
        """Begin whatever may begin now in this stream."""
        while True:
            for finished in stream.drop_finished():
                self._finish(finished)
            for missing in stream.add_missing():
                self._publish(missing.id, State.START)
            action = self._options.transition_policy.next_action(stream.snapshots())
            if action is None:
                break
            self._begin(stream, action)
        stream.adopt_ready()
        if not stream.harnesses:
            self._streams.pop(stream.name, None)
        self._changed.notify_all()

    def _begin(self, stream: Stream[S], action: Action) -> None:
        harness = stream.harnesses[action.version]
        if action.verb is Verb.LOAD:
            harness.move(Phase.LOADING)
            self._loads.submit(partial(self._load, stream, harness))
        else:
            self._quiesce(stream, harness)

    def _finish(self, harness: Harness[S]) -> None:
        if harness.phase is Phase.NEW:
            self._publish(harness.id, State.END, LoadCancelled(harness.id))
        self._monitor.mark_gone(harness.id, self._clock.now())

    def _load(self, stream: Stream[S], harness: Harness[S]) -> None:
        """Load one version; the job of a load thread."""
        try:
            needed = self._attempts.reserve(harness, self._harnesses)
            with self._changed:
                self._publish(harness.id, State.LOADING)
            harness.lent = Lent(
                harness.id,
                self._attempts.load(harness),
                partial(self._returned, stream, harness),
            )
        except Exception as raised:
            error = ServingError.of(raised)
            expected = isinstance(raised, ServingError)
            _log.error(
                "Servable %s cannot be loaded: %s",
                harness.id,
                error,
                exc_info=None if expected else raised,
            )
            with self._changed:
                self._fail(harness, error)
                self._advance(stream)
            return
        with self._changed:
            _log.info("Successfully loaded servable version %s", harness.id)
            harness.reserved = needed.ram_bytes
            self._lend(stream, harness)
            self._advance(stream)

    def _fail(self, harness: Harness[S], error: ServingError) -> None:
        _log.info("Encountered an error for servable version %s: %s", harness.id, error)
        harness.move(Phase.FAILED)
        harness.error = error.without_frames()
        harness.reserved = 0
        self._publish(harness.id, State.END, harness.error)

    def _lend(self, stream: Stream[S], harness: Harness[S]) -> None:
        harness.error = None
        if stream.is_outdated(harness.id.version):
            # What it was loaded from may have changed in the meantime, so nobody gets to see it.
            self._start_unload(stream, harness)
            return
        harness.move(Phase.READY)
        self._serve(stream)
        self._publish(harness.id, State.AVAILABLE)

    def _quiesce(self, stream: Stream[S], harness: Harness[S]) -> None:
        assert harness.lent is not None
        _log.info("Quiescing servable version %s", harness.id)
        self._publish(harness.id, State.UNLOADING)
        harness.move(Phase.QUIESCING)
        self._serve(stream)
        harness.lent.recall()
        if not harness.lent.is_out:
            self._start_unload(stream, harness)

    def _returned(self, stream: Stream[S], harness: Harness[S]) -> None:
        with self._changed:
            lent = harness.lent
            if harness.phase is Phase.QUIESCING and lent is not None and not lent.is_out:
                self._start_unload(stream, harness)

    def _start_unload(self, stream: Stream[S], harness: Harness[S]) -> None:
        if harness.phase is Phase.QUIESCING:
            _log.info("Done quiescing servable version %s", harness.id)
        else:
            self._publish(harness.id, State.UNLOADING)
        harness.move(Phase.UNLOADING)
        self._unloads.submit(partial(self._unload, stream, harness))

    def _unload(self, stream: Stream[S], harness: Harness[S]) -> None:
        """Unload one version; the job of an unload thread."""
        _log.info("Unloading servable version %s", harness.id)
        assert harness.lent is not None
        try:
            # Before END is reported the memory must be free, so no name may hold the servable.
            harness.loader.unload(harness.lent.take())
        except Exception:
            _log.exception("Servable %s did not unload cleanly", harness.id)
        with self._changed:
            _log.info("Done unloading servable version %s", harness.id)
            harness.move(Phase.DISABLED)
            harness.lent = None
            harness.reserved = 0
            self._publish(harness.id, State.END)
            self._advance(stream)

    def _serve(self, stream: Stream[S]) -> None:
        """Let borrowers see the versions of `stream` that are ready now."""
        ready: dict[int | None, Lent[S]] = {
            version: harness.lent
            for version, harness in sorted(stream.harnesses.items())
            if harness.phase is Phase.READY and harness.lent is not None
        }
        serving = {name: lent for name, lent in self._serving.items() if name != stream.name}
        if ready:
            ready[None] = ready[next(reversed(ready))]
            serving[stream.name] = ready
        self._serving = serving

    def _publish(self, id: ServableId, state: State, error: ServingError | None = None) -> None:
        status = ServableStatus(id, state, error)
        self._monitor.publish(StateChange(status, self._clock.now()))
        self._changed.notify_all()

    def _harnesses(self) -> list[Harness[S]]:
        return [
            harness for stream in self._streams.values() for harness in stream.harnesses.values()
        ]

    def _managed(self, name: str) -> Collection[int]:
        stream = self._streams.get(name)
        return () if stream is None else stream.harnesses.keys()

    def _known(self, wanted: Iterable[str | ServableId]) -> tuple[ServableStatus, ...]:
        found: list[ServableStatus] = []
        for entry in wanted:
            if isinstance(entry, ServableId):
                found += self.statuses(entry.name, entry.version)
            else:
                found += self._monitor.statuses(entry)
        return tuple(found)

    def _forget_gone(self) -> None:
        after = self._options.forget_ended_after
        if after is not None:
            self._monitor.forget_gone(self._clock.now() - after)

    def _unsubscribe(self, receive: Receive) -> None:
        with self._changed:
            self._monitor.unsubscribe(receive)
