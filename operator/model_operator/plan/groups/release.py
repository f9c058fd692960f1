"""Which groups may leave their gates: those for whose waiting members there is room at once."""

from collections.abc import Iterable
from datetime import datetime

from model_operator.domain.placement.capacity import Inventory, demand_of
from model_operator.domain.placement.packing import Members, room_for, settled, with_members
from model_operator.domain.placement.topology import Topology, topology_of
from model_operator.domain.seen.gangs import Release, begun, members, waiting
from model_operator.domain.seen.gates import Gate
from model_operator.domain.seen.workloads import Group
from model_operator.domain.wish.revision import Revision


def releases_of(
    groups: Iterable[tuple[Group, Revision]], inventory: Inventory | None, now: datetime
) -> tuple[Release, ...]:
    """The releases in the order of the groups, each with what those before it leave.

    A release that was begun goes on, whatever is free now: half a group is of no use to anybody.
    Without an inventory none is held back, since nobody can tell; the scheduler decides.
    """
    found = []
    inventory = settled(inventory) if inventory else None
    for group, revision in groups:
        demand, topology = demand_of(revision.template), topology_of(revision.template)
        wish = members(group, demand, topology) if demand else None
        if wish is None:
            continue
        release = _release(group, wish, inventory, now)
        if release is None:
            continue
        found.append(release)
        if inventory:
            inventory = settled(with_members(inventory, wish, release.selector))
    return tuple(found)


def _release(
    group: Group, wish: Members, inventory: Inventory | None, now: datetime
) -> Release | None:
    if gate := begun(group):
        return _continued(group, gate, wish.topology)
    # By the API server's clock no release is before its pods, whatever this machine's says.
    opened = max([now, *(pod.gate.made for pod in waiting(group) if pod.gate)])
    if inventory is None:
        return Release(waiting(group), opened)
    room = room_for(wish, inventory)
    return Release(waiting(group), opened, room.selector) if room.pods >= wish.count else None


def _continued(group: Group, gate: Gate, topology: Topology | None) -> Release:
    """The same release for those that still wait."""
    chosen = {} if topology is None else {topology.key: gate.selector.get(topology.key)}
    selector = {key: domain for key, domain in chosen.items() if domain}
    return Release(waiting(group), gate.opened or gate.made, selector)
