"""In which order versions of one servable stream are loaded and unloaded."""

import dataclasses
import enum
from collections.abc import Sequence
from typing import Protocol


class Phase(enum.Enum):
    """How far the manager is with one version; finer than the public State."""

    NEW = enum.auto()
    LOADING = enum.auto()
    READY = enum.auto()
    QUIESCING = enum.auto()
    UNLOADING = enum.auto()
    DISABLED = enum.auto()
    FAILED = enum.auto()

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens to a version in this phase."""
        return self in (Phase.DISABLED, Phase.FAILED)


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """One version as a policy sees it."""

    version: int
    phase: Phase
    aspired: bool


class Verb(enum.Enum):
    """What a policy can ask for."""

    LOAD = enum.auto()
    UNLOAD = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Action:
    """The next thing to do with a stream."""

    verb: Verb
    version: int


class TransitionPolicy(Protocol):
    """A pure decision about one stream; called again after each action."""

    def next_action(self, snapshots: Sequence[Snapshot]) -> Action | None:
        """The next load or unload, or None if nothing should begin now."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class AvailabilityPreserving:
    """Loads the new before unloading the old: never gives up the last ready version of a stream
    from which something is still aspired.

    Source: TensorFlow Serving's ``AvailabilityPreservingPolicy``.
    """

    def next_action(self, snapshots: Sequence[Snapshot]) -> Action | None:
        """See TransitionPolicy.next_action."""
        unwanted = _ready_but_not_aspired(snapshots)
        replaced = any(seen.aspired and seen.phase is Phase.READY for seen in snapshots)
        given_up = not any(seen.aspired for seen in snapshots)
        if unwanted and (replaced or given_up or len(unwanted) > 1):
            return Action(Verb.UNLOAD, min(unwanted))
        return _load_highest(snapshots)


@dataclasses.dataclass(frozen=True, slots=True)
class ResourcePreserving:
    """Unloads the old before loading the new: never holds both in memory, at the price of a gap.

    Source: TensorFlow Serving's ``ResourcePreservingPolicy``.
    """

    def next_action(self, snapshots: Sequence[Snapshot]) -> Action | None:
        """See TransitionPolicy.next_action."""
        unwanted = _ready_but_not_aspired(snapshots)
        if unwanted:
            return Action(Verb.UNLOAD, unwanted[0])
        if any(not seen.aspired and not seen.phase.is_over for seen in snapshots):
            return None
        return _load_highest(snapshots)


def _ready_but_not_aspired(snapshots: Sequence[Snapshot]) -> list[int]:
    return [seen.version for seen in snapshots if seen.phase is Phase.READY and not seen.aspired]


def _load_highest(snapshots: Sequence[Snapshot]) -> Action | None:
    new = [seen.version for seen in snapshots if seen.phase is Phase.NEW and seen.aspired]
    return Action(Verb.LOAD, max(new)) if new else None
