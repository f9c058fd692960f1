"""How many pods the old and the new revision have while one takes over from the other."""

from dataclasses import dataclass
from enum import StrEnum

from model_operator.domain.wish.rollout import Strategy


class Phase(StrEnum):
    """What a change is at.

    SURGING: the new pods start beside the old ones. DRAINING: the old revision gives up replicas
    for the new one. WAITING: there is no room, and only the last ready replica could be given up.
    GIVEN_UP: the deadline has passed; the old revision goes on.
    """

    SURGING = "Surging"
    DRAINING = "Draining"
    WAITING = "Waiting"
    GIVEN_UP = "GivenUp"


@dataclass(frozen=True)
class Pods:
    """Pods of a revision: asked for, those that have a node, those that are ready."""

    asked: int
    placed: int
    ready: int


@dataclass(frozen=True)
class Room:
    """Room for the new revision's pods.

    `is_short`: some wait for accelerators, none is free, and old pods hold such. `is_clearing`:
    pods are on their way out, and what they hold is free soon.
    """

    is_short: bool = False
    is_clearing: bool = False


@dataclass(frozen=True)
class Change:
    """A change of revision as it stands.

    `is_dead`: the old revision has no ready replica, and that not only for a moment. `is_over`:
    the change has been given up.
    """

    strategy: Strategy
    replicas: int
    old: Pods
    new: Pods
    room: Room = Room()
    is_dead: bool = False
    is_over: bool = False


@dataclass(frozen=True)
class Step:
    """The replicas to ask for now."""

    old: int
    new: int
    phase: Phase


def advance(change: Change) -> Step:
    """The next step. It never leaves the old revision without its last ready replica.

    Kubernetes takes pods that are not ready first when it removes some, so as long as one is
    asked for, a ready one stays.
    """
    if change.is_over:
        return Step(change.replicas, 0, Phase.GIVEN_UP)
    if change.strategy is Strategy.SURGE_FIRST:
        return Step(change.replicas, change.replicas, Phase.SURGING)
    # With one replica nothing can be given up: a new one finds room beside it, or waits.
    if change.strategy is Strategy.DRAIN_FIRST and (change.replicas > 1 or change.is_dead):
        return _drain_first(change)
    return _as_room_allows(change)


def enough(strategy: Strategy, replicas: int, old: Pods) -> int:
    """With how many ready replicas the new revision gets the traffic.

    All of them; but where the old one has given up some, as many as it has left: the traffic then
    goes where more can be.
    """
    if strategy is Strategy.SURGE_FIRST or old.asked >= replicas:
        return replicas
    return max(1, min(replicas, old.ready))


def _drain_first(change: Change) -> Step:
    """Both together have no more replicas than are wanted."""
    held = min(change.replicas, change.old.asked)
    is_begun = held < change.replicas
    is_settled = change.new.ready >= change.new.asked and (change.new.asked > 0 or not is_begun)
    if change.is_dead:
        held = 0
    elif is_settled:
        held = max(1, held - 1)
    return Step(held, change.replicas - held, Phase.DRAINING)


def _as_room_allows(change: Change) -> Step:
    """The new revision asks for all its pods; the old one gives up some where room is short."""
    if change.new.placed >= change.replicas:
        return Step(change.replicas, change.replicas, Phase.SURGING)
    held = min(change.replicas, change.old.asked)
    phase = Phase.SURGING if held == change.replicas else Phase.DRAINING
    if not change.room.is_short or change.room.is_clearing:
        return Step(held, change.replicas, phase)
    lowest = 0 if change.is_dead else 1
    if held <= lowest:
        return Step(held, change.replicas, Phase.WAITING)
    is_settled = change.new.ready >= change.new.placed
    return Step(held - 1 if is_settled else held, change.replicas, Phase.DRAINING)
