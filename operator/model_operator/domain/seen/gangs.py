"""Groups whose pods get nodes together or not at all: which wait, and which got stuck half way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from model_operator.domain.placement.capacity import Demand
from model_operator.domain.placement.packing import Members
from model_operator.domain.placement.topology import Topology
from model_operator.domain.seen.gates import Gate
from model_operator.domain.seen.pods import Pod
from model_operator.domain.seen.workloads import Group

# The scheduler needs seconds, and a volume that is made for a pod about a minute.
STRANDED_AFTER = timedelta(seconds=120)


@dataclass(frozen=True)
class Release:
    """Members of one group, all that wait, whose gates are taken away at `opened`.

    `selector` keeps them to the domain in which there is room.
    """

    pods: tuple[Pod, ...]
    opened: datetime
    selector: Mapping[str, str] = field(default_factory=dict)


def waiting(group: Group) -> tuple[Pod, ...]:
    """The members that wait at their gates; none before all members have been made."""
    if len(group.staying) < group.shards:
        return ()
    return tuple(pod for pod in group.staying if pod.gate and pod.gate.is_closed)


def begun(group: Group) -> Gate | None:
    """A gate of a release that did not come to its end, for want of an operator for instance.

    The pods that still wait had been made when others were let through, so they were meant too.
    """
    closed = [pod.gate for pod in waiting(group) if pod.gate]
    first = min((gate.made for gate in closed), default=None)
    opened = _opened(group.staying)
    return next((gate for gate in opened if first and gate.opened and gate.opened >= first), None)


def members(group: Group, demand: Demand, topology: Topology | None) -> Members | None:
    """What the members that wait need at once; None when none waits."""
    pods = waiting(group)
    gate = pods[0].gate if pods else None
    return Members(gate.key, len(pods), demand, topology) if gate else None


def stranded_at(group: Group) -> datetime | None:
    """When a release is to be taken back that gave nodes to some members and not to others.

    None while that is not so, and where some came later than others: those that were there before
    hold what they have loaded.
    """
    staying = group.staying
    opened = {gate.opened for gate in _opened(staying)}
    is_of_one_release = len(opened) == 1 and all(
        pod.gate and not pod.gate.is_closed for pod in staying
    )
    placed = sum(bool(pod.node) for pod in staying)
    if not is_of_one_release or not 0 < placed < len(staying):
        return None
    moment = next(iter(opened))
    return moment + STRANDED_AFTER if moment else None


def is_stranded(group: Group, now: datetime) -> bool:
    """Whether it sits on nodes that are no use to it, for long enough."""
    at = stranded_at(group)
    return at is not None and now >= at


def _opened(pods: Iterable[Pod]) -> list[Gate]:
    return [pod.gate for pod in pods if pod.gate and not pod.gate.is_closed]
