"""What the manager asks of whoever can load a servable."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Resources:
    """What a servable takes of the machine.

    ram_bytes: main memory, as long as it is loaded.
    transient_ram_bytes: on top of that, only while it loads.
    """

    ram_bytes: int = 0
    transient_ram_bytes: int = 0

    def __post_init__(self) -> None:
        if self.ram_bytes < 0 or self.transient_ram_bytes < 0:
            raise ValueError(f"resources cannot be negative: {self}")

    @property
    def while_loading(self) -> int:
        """Bytes of main memory at the peak of the load."""
        return self.ram_bytes + self.transient_ram_bytes


class Loader(Protocol[S]):
    """Loads one version of one servable. What a servable is, only the loader's caller knows.

    A loader serves one version once: after `unload` the manager drops it and never loads it again
    (a failed `load` is retried on the same loader, so it must leave nothing half-loaded behind).
    No method is called by two threads at a time.
    """

    def estimate(self) -> Resources:
        """An upper bound of what the servable will take, from a cheap look at storage.

        Asked once before loading, in a load thread. Errors are retried like those of `load`.
        """

    def load(self) -> S:
        """The servable, warmed up and ready for requests; runs in a load thread.

        Raise ServingError to choose the code; any other exception is reported with the nearest.
        """

    def unload(self, servable: S) -> None:
        """Give back what the servable holds; runs in an unload thread when no handle is left."""
