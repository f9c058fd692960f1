"""Whether all pods of a group fit on nodes at once, and in which domain of their topology.

Only accelerators are counted: for memory, volumes and the like the scheduler has the last word.
The members of a group take the same, so that whatever node one of them is given first, the others
still fit: no order needs to be tried.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import islice

from model_operator.domain.placement.capacity import (
    Claim,
    Demand,
    Inventory,
    Node,
    Use,
    fits,
    free_by_node,
)
from model_operator.domain.placement.topology import Mode, Topology


@dataclass(frozen=True)
class Members:
    """Pods of one group that need nodes at the same time. `group` is unique in the cluster."""

    group: str
    count: int
    demand: Demand
    topology: Topology | None = None


@dataclass(frozen=True)
class Room:
    """How many members fit at once; more than are asked for where there is more room.

    `selector` holds the label of the domain that they must keep to for that, if it matters.
    """

    pods: int
    selector: Mapping[str, str] = field(default_factory=dict)


def room_for(members: Members, inventory: Inventory) -> Room:
    """Room beside everything that has a node or is about to get one.

    Of several domains the fullest that is roomy enough, so that larger groups find room later.
    """
    inventory = settled(inventory)
    places = _places(members.demand, inventory)
    topology = members.topology
    if topology is None:
        return Room(sum(places.values()))
    rooms: Counter[str] = Counter()
    for node in inventory.nodes:
        if domain := node.labels.get(topology.key):
            rooms[domain] += places.get(node.name, 0)
    held = _groups_by_domain(topology.key, inventory)
    own = {domain for domain, groups in held.items() if members.group in groups}
    if topology.mode is Mode.SPREAD:
        return Room(sum(rooms[domain] > 0 for domain in rooms.keys() - own))
    # Members that have nodes already decide for those that come.
    domains = own or rooms.keys()
    if topology.mode is Mode.EXCLUSIVE:
        domains = {domain for domain in domains if not held.get(domain, set()) - {members.group}}
    return _fullest({domain: rooms[domain] for domain in domains}, topology.key, members.count)


def settled(inventory: Inventory) -> Inventory:
    """The same with every claim as the use that it becomes; those that find no node take nothing.

    Large ones first, each where it leaves least.
    """
    uses = list(inventory.uses)
    free: dict[str, dict[str, int]] = {}
    for alike in sorted(_by_demand(inventory.claims), key=lambda alike: -alike[0].demand.count):
        demand = alike[0].demand
        left = free.setdefault(demand.resource, free_by_node(demand.resource, inventory))
        waiting = iter(alike)
        for node in _fullest_first(inventory.nodes, demand, left):
            for claim in islice(waiting, left[node.name] // demand.count):
                left[node.name] -= demand.count
                uses.append(Use(node.name, {demand.resource: demand.count}, claim.group))
    return replace(inventory, uses=tuple(uses), claims=())


def with_members(inventory: Inventory, members: Members, selector: Mapping[str, str]) -> Inventory:
    """What is left for others once those members may get nodes, of those with the labels."""
    demand = replace(members.demand, selector={**members.demand.selector, **selector})
    claims = [Claim(demand, members.group)] * members.count
    return replace(inventory, claims=(*inventory.claims, *claims))


def _places(demand: Demand, inventory: Inventory) -> dict[str, int]:
    free = free_by_node(demand.resource, inventory)
    fitting = (node.name for node in inventory.nodes if fits(demand, node))
    return {name: free[name] // demand.count for name in fitting}


def _groups_by_domain(key: str, inventory: Inventory) -> dict[str, set[str]]:
    domains = {node.name: node.labels.get(key) for node in inventory.nodes}
    found: dict[str, set[str]] = {}
    for use in inventory.uses:
        domain = domains.get(use.node)
        if use.group and domain:
            found.setdefault(domain, set()).add(use.group)
    return found


def _fullest(rooms: Mapping[str, int], key: str, count: int) -> Room:
    """The domain with the least room that suffices, else the one that comes nearest to it."""
    if not rooms:
        return Room(0)
    roomy = {domain: room for domain, room in rooms.items() if room >= count}
    if roomy:
        chosen = min(roomy, key=lambda domain: (roomy[domain], domain))
    else:
        chosen = min(rooms, key=lambda domain: (-rooms[domain], domain))
    return Room(rooms[chosen], {key: chosen})


def _by_demand(claims: Iterable[Claim]) -> list[list[Claim]]:
    """Claims that ask for the same together: a cluster may have thousands of few kinds."""
    found: dict[str, list[Claim]] = {}
    for claim in claims:
        # Demands hold parts of manifests, which have no hash.
        found.setdefault(json.dumps(asdict(claim.demand), sort_keys=True), []).append(claim)
    return list(found.values())


def _fullest_first(nodes: Iterable[Node], demand: Demand, left: Mapping[str, int]) -> list[Node]:
    """The nodes that can meet the demand, in the order in which they are filled."""
    roomy = (node for node in nodes if left.get(node.name, 0) >= demand.count)
    fitting = [node for node in roomy if fits(demand, node)]
    return sorted(fitting, key=lambda node: (left[node.name], node.name))
