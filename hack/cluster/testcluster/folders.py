"""Where binaries are cached and where a cluster keeps its files."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testcluster.failures import ClusterError

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,28}[a-z0-9])?")


def cache_folder() -> Path:
    """Where built binaries stay between clusters: MODELFLEET_CACHE, or the user's cache."""
    return _folder("MODELFLEET_CACHE", "XDG_CACHE_HOME", ".cache")


def state_folder() -> Path:
    """Where running clusters keep their files: MODELFLEET_STATE, or the user's state folder."""
    return _folder("MODELFLEET_STATE", "XDG_STATE_HOME", ".local/state")


def _folder(variable: str, standard: str, default: str) -> Path:
    if own := os.environ.get(variable):
        return Path(own).absolute()
    base = os.environ.get(standard)
    return (Path(base) if base else Path.home() / default) / "modelfleet"


def clusters_folder() -> Path:
    """Has a folder for each cluster of this user that is up."""
    return state_folder() / "clusters"


@dataclass(frozen=True)
class ClusterFolder:
    """The files of one cluster."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for clients on this machine."""
        return self.path / "admin.kubeconfig"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    @property
    def audit_log(self) -> Path:
        """A line for each write that the API server was asked for."""
        return self.path / "audit.log"

    def inside(self, name: str) -> Path:
        """A folder in this one, made if it is not there; for this user's eyes only."""
        folder = self.path / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder


def folder_of(name: str) -> ClusterFolder:
    """The folder of the cluster with this name, whether it is there or not.

    Raises:
        ClusterError: the name would not do as part of a namespace's or a cgroup's.
    """
    if not _NAME.fullmatch(name):
        raise ClusterError(
            f"{name!r} cannot name a cluster: use up to 30 of a-z, 0-9 and '-', "
            "a letter first and no '-' last"
        )
    return ClusterFolder(clusters_folder() / name)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Clusters of this user come up and go down one after the other.

    The folder of all clusters is the lock, so that nothing is left of it when the last one goes.
    """
    folder = clusters_folder()
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever held it may have removed the folder: then this is a lock on nothing.
            if folder.is_dir() and os.path.samestat(os.fstat(descriptor), folder.stat()):
                try:
                    yield
                finally:
                    _remove_if_empty(folder)
                return
        finally:
            os.close(descriptor)


def _remove_if_empty(folder: Path) -> None:
    for unused in (folder, folder.parent):
        if any(unused.iterdir()):
            return
        unused.rmdir()
