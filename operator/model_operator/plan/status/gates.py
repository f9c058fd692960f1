"""Why a group waits at its gates, in numbers."""

from model_operator.domain.placement.capacity import Inventory, demand_of
from model_operator.domain.placement.packing import Members, Room, room_for, settled
from model_operator.domain.placement.topology import Mode, Topology, topology_of
from model_operator.domain.seen.gangs import members
from model_operator.domain.seen.observed import Observed
from model_operator.domain.seen.troubles import UNSCHEDULABLE, Trouble
from model_operator.domain.wish.revision import Revision
from model_operator.plan.status.shortage import counts, demanded

_WHERE = {
    Mode.PACK: "in one {key}",
    Mode.EXCLUSIVE: "in one {key} without other groups",
    Mode.SPREAD: "each in another {key}",
}


def held_at_gates(observed: Observed, revision: Revision) -> Trouble | None:
    """Of the first group of the revision that waits; None when none does."""
    demand, topology = demand_of(revision.template), topology_of(revision.template)
    if demand is None:
        return None
    for group in observed.groups_of(revision.name):
        if wish := members(group, demand, topology):
            said = f"group {group.number} takes no node until {_together(wish, topology)}"
            said += f"; each needs {demanded(demand, revision)}"
            if observed.inventory:
                said += f"; {_found(wish, observed.inventory)}"
            return Trouble(UNSCHEDULABLE, said)
    return None


def _together(wish: Members, topology: Topology | None) -> str:
    pods = "1 member has" if wish.count == 1 else f"{wish.count} members have"
    return f"{pods} room at once{_where(topology)}"


def _found(wish: Members, inventory: Inventory) -> str:
    inventory = settled(inventory)
    room = room_for(wish, inventory)
    free = counts(wish.demand, inventory)
    return free if room.pods >= wish.count else f"{free}, room for {_room(room)}"


def _room(room: Room) -> str:
    domains = ", ".join(f"{key} {domain}" for key, domain in room.selector.items())
    return f"{room.pods} in {domains}" if domains else str(room.pods)


def _where(topology: Topology | None) -> str:
    return f" {_WHERE[topology.mode].format(key=topology.key)}" if topology else ""
