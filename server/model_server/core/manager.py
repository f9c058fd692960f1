"""Makes what is loaded match what is aspired, and lends out what is loaded."""

import contextlib
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

from model_server.core.errors import Code, ServableNotFound, ServingError, UnknownLabel
from model_server.core.loader import Loader
from model_server.core.servable import ServableId, ServableStatus, State

S = TypeVar("S")
S_co = TypeVar("S_co", covariant=True)


class Handle(Protocol[S_co]):
    """A counted borrow: while it is open the servable is not unloaded."""

    @property
    def id(self) -> ServableId: ...

    @property
    def servable(self) -> S_co: ...


class _Borrowed(Generic[S]):
    def __init__(self, id: ServableId, servable: S) -> None:
        self.id = id
        self.servable = servable


class Manager(Generic[S]):
    """Loads aspired versions, unloads others, and hands out counted handles."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: dict[str, dict[int, tuple[Loader[S], S]]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._statuses: dict[str, dict[int, ServableStatus]] = {}

    def start(self) -> None:
        """Starts the threads; until then nothing is loaded."""

    def aspire(self, name: str, loaders: Mapping[int, Loader[S]]) -> None:
        """From now on exactly these versions of ``name`` should be loaded; returns at once."""
        loaded = self._loaded.setdefault(name, {})
        for version, loader in loaders.items():
            if version not in loaded:
                self._load(ServableId(name, version), loader)
        for version in set(loaded) - set(loaders):
            loader, servable = loaded.pop(version)
            loader.unload(servable)
            self._publish(ServableStatus(ServableId(name, version), State.END))

    def forget(self, name: str) -> None:
        """The model is no longer configured: its versions unload and its labels vanish."""
        self._labels.pop(name, None)
        self.aspire(name, {})

    @contextlib.contextmanager
    def handle(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Iterator[Handle[S]]:
        """Borrows a version: the one asked for, the labelled one, or the highest available.

        Raises ServableNotFound if it is not available, UnknownLabel if there is no such label.
        """
        loaded = self._loaded.get(name, {})
        if label is not None:
            labels = self._labels.get(name, {})
            if label not in labels:
                raise UnknownLabel(label)
            version = labels[label]
        if version is None and loaded:
            version = max(loaded)
        if version is None or version not in loaded:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServableNotFound(wanted)
        yield _Borrowed(ServableId(name, version), loaded[version][1])

    def names(self) -> tuple[str, ...]:
        """Every model of which a state is known, sorted."""
        return tuple(sorted(self._statuses))

    def statuses(self, name: str, version: int | None = None) -> tuple[ServableStatus, ...]:
        """States of all versions, highest first, or of one. Raises nothing; empty if unknown."""
        known = self._statuses.get(name, {})
        versions = sorted(known, reverse=True) if version is None else [version]
        return tuple(known[number] for number in versions if number in known)

    def set_labels(
        self, labels: Mapping[str, Mapping[str, int]], allow_unavailable: bool = False
    ) -> None:
        """Replaces all labels of all models: name of model -> label -> version.

        Raises LabelRefused, changing nothing, if a label points at a version that is not available
        (``allow_unavailable`` lets new labels do that).
        """
        self._labels = {name: dict(versions) for name, versions in labels.items()}

    def wait_until(
        self, names: Collection[str], goal: State = State.AVAILABLE, timeout: float | None = None
    ) -> Mapping[str, tuple[ServableStatus, ...]]:
        """Waits until each model has a version that reached ``goal`` or has none left that could.

        Returns the statuses of the models then, which may be incomplete if ``timeout`` (seconds)
        ran out first.
        """
        return {name: self.statuses(name) for name in names}

    def subscribe(self, observer: Callable[[ServableStatus], None]) -> Callable[[], None]:
        """Calls ``observer`` at each change of a state, in order; returns what ends that."""
        return lambda: None

    def stop(self, deadline: float) -> None:
        """Unloads everything and ends the threads within ``deadline`` seconds."""
        for name in list(self._loaded):
            self.aspire(name, {})

    def _load(self, id: ServableId, loader: Loader[S]) -> None:
        try:
            self._loaded[id.name][id.version] = (loader, loader.load())
            self._publish(ServableStatus(id, State.AVAILABLE))
        except ServingError as error:
            self._publish(ServableStatus(id, State.END, error))
        except Exception as error:
            self._publish(ServableStatus(id, State.END, ServingError(Code.UNKNOWN, str(error))))

    def _publish(self, status: ServableStatus) -> None:
        with self._lock:
            self._statuses.setdefault(status.id.name, {})[status.id.version] = status
