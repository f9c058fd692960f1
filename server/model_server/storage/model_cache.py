"""The place on disk for versions that are fetched: bounded, and swept of what nobody owns."""

import fcntl
import logging
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model_server.core.errors import Code, ServingError

_log = logging.getLogger(__name__)

_OWNED = "server-"
_LOCK = "lock"
# What the disk must keep free for others: logs, temporary files.
_SPARE = 64 * 2**20


class ModelCache:
    """A folder of this server's own under ``root``, which several servers may share.

    ``limit`` bounds the bytes of all fetched versions together; None is the free space of the disk.
    """

    def __init__(self, root: str = "", limit: int | None = None) -> None:
        default = Path(tempfile.gettempdir()) / f"modelfleet-models-{os.getuid()}"
        self._root = Path(root) if root else default
        self._is_in_public = not root
        self._limit = limit
        self._own: Path | None = None
        self._lock_file: int | None = None
        self._guard = threading.Lock()
        self._taken: dict[str, int] = {}
        self._pending: set[str] = set()

    def reserve(self, size: int) -> str:
        """A new, empty folder for this many bytes; ``settle`` or ``free`` it.

        Raises ServingError: RESOURCE_EXHAUSTED where they do not fit, UNAVAILABLE where nothing can
        be written.
        """
        with self._guard:
            try:
                own = self._own or self._claim()
                self._check(size, own)
                folder = tempfile.mkdtemp(dir=own)
            except OSError as error:
                raise ServingError(
                    Code.UNAVAILABLE, f"The model cache {self._root} cannot be used: {error}"
                ) from error
            self._taken[folder] = size
            self._pending.add(folder)
            return folder

    def extend(self, folder: str, size: int) -> None:
        """Room for so many bytes more in a folder that is not settled yet.

        Raises ServingError, RESOURCE_EXHAUSTED, where they do not fit.
        """
        with self._guard:
            self._check(size, Path(folder))
            self._taken[folder] += size

    def settle(self, folder: str) -> None:
        """All of its bytes are on the disk now."""
        with self._guard:
            self._pending.discard(folder)

    def free(self, folder: str) -> None:
        """Removes the folder and what is in it."""
        shutil.rmtree(folder, ignore_errors=True)
        with self._guard:
            self._pending.discard(folder)
            self._taken.pop(folder, None)

    def sweep(self) -> None:
        """Removes what servers left that have ended without doing so."""
        if not self._root.is_dir():
            return
        with suppress(OSError):
            if self._is_in_public:
                _check_owner(self._root)
            with _locked(self._root / _LOCK):
                for folder in self._root.glob(f"{_OWNED}*"):
                    if folder != self._own and _is_left(folder):
                        shutil.rmtree(folder, ignore_errors=True)
                        _log.info("Removed what an ended server had fetched: %s", folder)

    def close(self) -> None:
        """Removes all that this server fetched."""
        with self._guard:
            if self._own is not None:
                shutil.rmtree(self._own, ignore_errors=True)
                self._own = None
            if self._lock_file is not None:
                os.close(self._lock_file)
                self._lock_file = None

    def _claim(self) -> Path:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._is_in_public:
            _check_owner(self._root)
        # A sweeper must not find the folder before it is locked.
        with _locked(self._root / _LOCK):
            own = Path(tempfile.mkdtemp(prefix=_OWNED, dir=self._root))
            self._lock_file = os.open(own / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            # Held until the process ends, however it ends.
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        self._own = own
        return own

    def _check(self, size: int, own: Path) -> None:
        taken = sum(self._taken.values())
        if self._limit is not None and taken + size > self._limit:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"The version's {size} bytes do not fit beside {taken} bytes in the model cache:"
                f" its limit, --model_cache_limit_bytes, is {self._limit}",
            )
        awaited = sum(self._taken[folder] for folder in self._pending)
        free = max(0, shutil.disk_usage(own).free - awaited - _SPARE)
        if size > free:
            raise ServingError(
                Code.RESOURCE_EXHAUSTED,
                f"The version's {size} bytes do not fit on the disk of the model cache"
                f" {self._root}, which has {free} bytes to spare",
            )


def _check_owner(folder: Path) -> None:
    """Refuses what another user put where this one's folder should be, to change models in it."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder that belongs to this user alone")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    lock_file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock_file)


def _is_left(folder: Path) -> bool:
    """Whether no process holds the lock of this folder."""
    try:
        lock_file = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock_file)
    return True
