"""What the core loads: a version folder, by the platform its model names."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from model_server.core.loader import Resources
from model_server.core.servable import ServableId
from model_server.servables.platform import Servable
from model_server.servables.registry import Platforms

# TensorFlow Serving's rule of thumb: a model in memory takes what its files take, and a fifth more.
_RAM_PER_BYTE = 1.2


class WarmUp(Protocol):
    """Makes a servable run what it will be asked, so that the first client need not wait."""

    def __call__(self, id: ServableId, servable: Servable, path: str) -> None:
        """Warms up a servable loaded from this folder. Raises ServingError: then it is not used."""


@dataclass(frozen=True)
class Surroundings:
    """What a server does around each load.

    ``recorded`` surrounds each try, given what is loaded and its path; ``warm_up`` follows it.
    """

    recorded: Callable[[ServableId, str], AbstractContextManager[None]]
    warm_up: WarmUp | None = None


@dataclass(frozen=True)
class VersionLoader:
    """Loads one version folder, and warms it up."""

    platforms: Platforms
    platform: str
    id: ServableId
    path: str
    surroundings: Surroundings

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
        with self.surroundings.recorded(self.id, self.path):
            servable = platform.load(self.id.name, self.id.version, self.path)
        if self.surroundings.warm_up is not None:
            try:
                self.surroundings.warm_up(self.id, servable, self.path)
            except BaseException:
                platform.unload(servable)
                raise
        return servable

    def unload(self, servable: Servable) -> None:
        """See Loader."""
        self.platforms.platform(self.platform).unload(servable)
