"""What the core loads: a version folder, by the platform its model names."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from model_server.core.loader import Resources
from model_server.core.servable import ServableId
from model_server.servables.platform import Servable
from model_server.servables.registry import Platforms

# TensorFlow Serving's rule of thumb: a model in memory takes what its files take, and a fifth more.
_RAM_PER_BYTE = 1.2


@dataclass(frozen=True)
class VersionLoader:
    """Loads one version folder; ``recorded`` surrounds each try, given the path."""

    platforms: Platforms
    platform: str
    id: ServableId
    path: str
    recorded: Callable[[str], AbstractContextManager[None]]

    def estimate(self) -> Resources:
        """See Loader. Counts the files, whatever the platform."""
        size = 0
        for folder, _, files in os.walk(self.path):
            for file in files:
                try:
                    size += os.stat(os.path.join(folder, file)).st_size
                except FileNotFoundError:
                    # Taken away while we count; the load will tell.
                    continue
        return Resources(ram_bytes=int(size * _RAM_PER_BYTE))

    def load(self) -> Servable:
        """See Loader. Raises ServingError."""
        platform = self.platforms.platform(self.platform)
        with self.recorded(self.path):
            return platform.load(self.id.name, self.id.version, self.path)

    def unload(self, servable: Servable) -> None:
        """See Loader."""
        self.platforms.platform(self.platform).unload(servable)
