"""One servable stream: which versions are wanted, how far each is, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic

from model_server.core.errors import ServingError
from model_server.core.lending import Lent
from model_server.core.loader import Loader, S
from model_server.core.servable import ServableId
from model_server.core.transition_policy import Phase, Snapshot

_NEXT = {
    Phase.NEW: {Phase.LOADING},
    Phase.LOADING: {Phase.READY, Phase.UNLOADING, Phase.FAILED},
    Phase.READY: {Phase.QUIESCING},
    Phase.QUIESCING: {Phase.UNLOADING},
    Phase.UNLOADING: {Phase.DISABLED},
    Phase.DISABLED: set(),
    Phase.FAILED: set(),
}


@dataclass(eq=False)
class Harness(Generic[S]):
    """A version that the manager works on, from its first aspiration until it is forgotten.

    reserved: bytes of the memory limit that it takes. error: why the newest try to load failed.
    """

    id: ServableId
    loader: Loader[S]
    phase: Phase = Phase.NEW
    aspired: bool = True
    lent: Lent[S] | None = None
    reserved: int = 0
    error: ServingError | None = None

    def move(self, phase: Phase) -> None:
        """Go on to `phase`; a ValueError if that does not follow, which is a mistake of ours."""
        if phase not in _NEXT[self.phase]:
            raise ValueError(f"{self.id} cannot go from {self.phase.name} to {phase.name}")
        self.phase = phase

    @property
    def is_under_way(self) -> bool:
        """Whether it is being loaded or unloaded, so that its need of memory may soon fall."""
        return self.reserved > 0 and self.phase in (
            Phase.LOADING,
            Phase.QUIESCING,
            Phase.UNLOADING,
        )


@dataclass(eq=False)
class Stream(Generic[S]):
    """The wanted versions of one name, and the harnesses that follow them as well as they can.

    A harness that lost its aspiration is *outdated* when its version is wanted again: its loader
    is an old one, so it has to end before the version can be loaded afresh.
    """

    name: str
    wanted: Mapping[int, Loader[S]] = field(default_factory=dict)
    harnesses: dict[int, Harness[S]] = field(default_factory=dict)

    def aspire(self, wanted: Mapping[int, Loader[S]], reload_failed: bool) -> None:
        """Want exactly these versions."""
        self.wanted = wanted
        for version, harness in self.harnesses.items():
            if version not in wanted or (reload_failed and harness.phase is Phase.FAILED):
                harness.aspired = False

    def snapshots(self) -> list[Snapshot]:
        """What the transition policy decides on, lowest version first.

        An outdated version appears a second time, as aspired but not to be had: otherwise a policy
        might think that nothing is aspired, and unload what should serve until it is.
        """
        seen = [
            Snapshot(version, harness.phase, harness.aspired)
            for version, harness in self.harnesses.items()
        ]
        seen += [Snapshot(version, Phase.FAILED, aspired=True) for version in self._outdated()]
        return sorted(seen, key=lambda snapshot: (snapshot.version, snapshot.aspired))

    def is_outdated(self, version: int) -> bool:
        """Whether the version is wanted, but not the copy that there is."""
        return version in self.wanted and not self.harnesses[version].aspired

    def adopt_ready(self) -> None:
        """Be content with outdated copies that are ready.

        For when the policy has nothing more to do: it keeps them because nothing else serves.
        """
        for version in self._outdated():
            if self.harnesses[version].phase is Phase.READY:
                self.harnesses[version].aspired = True

    def drop_finished(self) -> list[Harness[S]]:
        """Remove and return the harnesses that are not aspired and have nothing left to do."""
        finished = [
            harness
            for harness in self.harnesses.values()
            if not harness.aspired and (harness.phase is Phase.NEW or harness.phase.is_over)
        ]
        for harness in finished:
            del self.harnesses[harness.id.version]
        return finished

    def add_missing(self) -> list[Harness[S]]:
        """Make a harness for each wanted version that has none, and return those."""
        missing = [
            Harness(ServableId(self.name, version), loader)
            for version, loader in sorted(self.wanted.items())
            if version not in self.harnesses
        ]
        for harness in missing:
            self.harnesses[harness.id.version] = harness
        return missing

    def _outdated(self) -> list[int]:
        return [version for version in self.harnesses if self.is_outdated(version)]
