"""Lists folders of remote file systems: seldom, because it is paid for, and never waiting long."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from dataclasses import dataclass
from datetime import timedelta

from model_server.core.errors import Code, ServingError
from model_server.storage.file_systems import explained, file_system

# More folders than this at a time wait for each other.
_THREADS = 8


@dataclass(frozen=True)
class Patience:
    """A listing is used again for ``reuse``; one that takes longer than ``wait`` goes on alone."""

    reuse: timedelta = timedelta(seconds=30)
    wait: timedelta = timedelta(seconds=5)


_PATIENCE = Patience()


@dataclass(frozen=True)
class _Listing:
    outcome: Future[list[str]]
    ended: float | None = None


class RemoteFiles:
    """Folders by URL, as the source looks at them; one thread asks."""

    def __init__(
        self, patience: Patience = _PATIENCE, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._patience = patience
        self._now = now
        self._listings: dict[str, _Listing] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._guard = threading.Lock()

    def children(self, url: str) -> list[str]:
        """The names in a folder, as they were at most ``reuse`` ago.

        Raises FileNotFoundError for a folder without content, which object stores do not tell from
        none, and ServingError: DEADLINE_EXCEEDED while the listing is still under way.
        """
        with self._guard:
            listing = self._listings.get(url)
            if listing is None or self._is_old(listing):
                listing = _Listing(self._threads().submit(_children, url))
                self._listings[url] = listing
        try:
            return listing.outcome.result(self._patience.wait.total_seconds())
        except StillRunning:
            if listing.outcome.done():
                raise
            raise ServingError(
                Code.DEADLINE_EXCEEDED,
                f"listing it takes longer than {self._patience.wait.total_seconds():g} seconds",
            ) from None
        finally:
            if listing.ended is None and listing.outcome.done():
                self._listings[url] = _Listing(listing.outcome, self._now())

    def _is_old(self, listing: _Listing) -> bool:
        if listing.ended is None:
            return False
        return self._now() - listing.ended >= self._patience.reuse.total_seconds()

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="listing")
        return self._pool


def _children(url: str) -> list[str]:
    try:
        opened, path = file_system(url.rstrip("/"))
        names = [child.rstrip("/").rpartition("/")[2] for child in opened.ls(path, detail=False)]
    except FileNotFoundError:
        raise
    except Exception as error:
        # A file system is somebody else's code, which may raise anything.
        raise explained(error) from error
    if not names:
        raise FileNotFoundError(url)
    return names
