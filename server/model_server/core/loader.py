"""What the core asks of whoever can make a servable: an estimate, a load and an unload."""

import dataclasses
from typing import Protocol, TypeVar

S = TypeVar("S")


@dataclasses.dataclass(frozen=True, slots=True)
class Resources:
    """What a servable needs while it is loaded.

    Attributes:
        ram_bytes: main memory kept as long as the servable is loaded.
        transient_ram_bytes: memory needed on top only while it loads.
    """

    ram_bytes: int = 0
    transient_ram_bytes: int = 0

    def __post_init__(self) -> None:
        if self.ram_bytes < 0 or self.transient_ram_bytes < 0:
            raise ValueError(f"resources cannot be negative: {self}")

    @property
    def while_loading(self) -> int:
        """Bytes of main memory needed at the peak of the load."""
        return self.ram_bytes + self.transient_ram_bytes


class Loader(Protocol[S]):
    """Makes one servable. The core never looks into ``S``.

    All three are called in a thread of the manager's load or unload pool, never two at once
    for the same loader. ``load`` may be called again after it failed. Anything raised ends up as
    the version's error: a ``ServingError`` as it is, another exception as UNKNOWN with its text.
    """

    def estimate(self) -> Resources:
        """What loading will take, before it begins; must be cheap beside ``load``."""
        ...

    def load(self) -> S:
        """Make the servable, warmed up and fit to answer."""
        ...

    def unload(self, servable: S) -> None:
        """Free what ``load`` made; called once, when nobody holds a handle any more."""
        ...
