"""The local file system, as the source looks at it."""

import os


class LocalFiles:
    """Folders of this machine."""

    def exists(self, path: str) -> bool:
        """Whether there is anything at this path."""
        return os.path.exists(path)

    def children(self, path: str) -> list[str]:
        """The names in a folder. Raises OSError."""
        return os.listdir(path)
