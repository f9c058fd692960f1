"""Folders as the source lists them: of this machine, and through URLs of others."""

import os
import re

from model_server.storage.remote_files import RemoteFiles

_FILE = "file://"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def local_path(path: str) -> str | None:
    """The path on this machine, None if it is somewhere else."""
    if path.startswith(_FILE):
        return path.removeprefix(_FILE)
    return None if _URL.match(path) else path


class Files:
    """Local folders by path or ``file://``, all others by the URL's scheme."""

    def __init__(self, remote: RemoteFiles) -> None:
        self._remote = remote

    def children(self, path: str) -> list[str]:
        """The names in a folder. Raises FileNotFoundError, OSError, ServingError."""
        local = local_path(path)
        return self._remote.children(path) if local is None else os.listdir(local)
