"""What the core loads: a version folder, by the platform its model names."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from model_server.core.loader import Resources
from model_server.core.servable import ServableId
from model_server.servables.batched import unbatched
from model_server.servables.platform import GroupServable, PartialPlatform, Platform, Servable
from model_server.servables.quiet import short_turns
from model_server.servables.registry import Platforms, check_servable
from model_server.storage.folders import Folder, Needs

# TensorFlow Serving's rule of thumb: a model in memory takes what its files take, and a fifth more.
_RAM_PER_BYTE = 1.2


class Batch(Protocol):
    """Merges the requests for a servable into batches."""

    def __call__(self, id: ServableId, servable: Servable, folder: str) -> Servable:
        """The servable, loaded from this local folder, so that its requests are merged.

        Raises ServingError if the folder says how, and it cannot be.
        """


class WarmUp(Protocol):
    """Makes a servable run what it will be asked, so that the first client need not wait."""

    def __call__(self, id: ServableId, servable: Servable, path: str) -> None:
        """Warms up a servable loaded from this folder. Raises ServingError: then it is not used."""


@dataclass(frozen=True)
class Surroundings:
    """What a server does around each load.

    ``recorded`` surrounds each try, given what is loaded and its path; ``warm_up`` follows it, by
    way of ``batch``.
    """

    recorded: Callable[[ServableId, str], AbstractContextManager[None]]
    warm_up: WarmUp | None = None
    batch: Batch | None = None


@dataclass(frozen=True)
class VersionLoader:
    """Loads one version folder, and warms it up; ``path`` is as it was configured."""

    platforms: Platforms
    platform: str
    id: ServableId
    path: str
    folder: Folder
    surroundings: Surroundings

    def estimate(self) -> Resources:
        """See Loader. Counts what is needed of the files, whatever the platform."""
        needs = self._needs(self.platforms.platform(self.platform))
        share = needs.share if needs is not None else 1
        return Resources(ram_bytes=int(self.folder.size() * share * _RAM_PER_BYTE))

    def load(self) -> Servable:
        """See Loader. Raises ServingError."""
        with short_turns():
            return self._loaded()

    def _loaded(self) -> Servable:
        platform = self.platforms.platform(self.platform)
        try:
            local = self.folder.fetch(self._needs(platform))
            with self.surroundings.recorded(self.id, self.path):
                servable = platform.load(self.id.name, self.id.version, local)
                check_servable(self.platform, servable)
            return self._prepared(platform, servable, local)
        except BaseException:
            self.folder.drop()
            raise

    def _needs(self, platform: Platform) -> Needs | None:
        return platform.needs if isinstance(platform, PartialPlatform) else None

    def _prepared(self, platform: Platform, loaded: Servable, local: str) -> Servable:
        batch, warm_up = self.surroundings.batch, self.surroundings.warm_up
        try:
            servable = batch(self.id, loaded, local) if batch else loaded
            if warm_up is not None and isinstance(loaded, GroupServable):
                # It can answer when the others are loaded too, which wait for it likewise.
                loaded.before_first(partial(warm_up, self.id, servable, local))
            elif warm_up is not None:
                warm_up(self.id, servable, local)
        except BaseException:
            platform.unload(loaded)
            raise
        return servable

    def unload(self, servable: Servable) -> None:
        """See Loader."""
        try:
            self.platforms.platform(self.platform).unload(unbatched(servable))
        finally:
            self.folder.drop()
