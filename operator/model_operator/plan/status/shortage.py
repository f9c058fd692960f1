"""Why a pod that takes accelerators gets no node, in numbers."""

from model_operator.domain.placement.capacity import Demand, Inventory, demand_of, supply_for
from model_operator.domain.seen.observed import Observed
from model_operator.domain.seen.troubles import UNSCHEDULABLE, Trouble
from model_operator.domain.wish.revision import Revision

_MOST_NAMED = 5


def lacks_node(observed: Observed, revision: Revision) -> bool:
    """True when a pod of the revision takes accelerators and no node has taken it."""
    return demand_of(revision.template) is not None and any(
        pod.trouble is not None and pod.trouble.reason == UNSCHEDULABLE
        for pod in observed.pods_of(revision.name)
    )


def with_counts(trouble: Trouble, revision: Revision, inventory: Inventory | None) -> Trouble:
    """The same trouble, led by the counts of free accelerators where they are what is missing."""
    demand = demand_of(revision.template)
    if inventory is None or demand is None or trouble.reason != UNSCHEDULABLE:
        return trouble
    supply = supply_for(demand, inventory)
    if supply.pods > 0:
        return trouble  # It waits for something else, and the scheduler says for what.
    found = counts(demand, inventory)
    return Trouble(
        trouble.reason, f"needs {demanded(demand, revision)}; {found} ({trouble.message})"
    )


def demanded(demand: Demand, revision: Revision) -> str:
    """What each pod takes, with the product that the user asked for."""
    product = (revision.input.get("accelerator") or {}).get("product")
    wish = f"{demand.count} {demand.resource}"
    return f"{wish} with product {product}" if product else wish


def counts(demand: Demand, inventory: Inventory) -> str:
    """What is free on the nodes that match, or why none does."""
    supply = supply_for(demand, inventory)
    if supply.nodes == 0:
        return _without_nodes(demand, inventory)
    found = f"nodes that match have {supply.free} free of {supply.total}"
    is_scattered = supply.pods == 0 and supply.free >= demand.count
    return f"{found}, no node {demand.count} together" if is_scattered else found


def _without_nodes(demand: Demand, inventory: Inventory) -> str:
    having = [node for node in inventory.nodes if node.accelerators.get(demand.resource)]
    if having:
        names = sorted(node.name for node in having)
        more = " …" if len(names) > _MOST_NAMED else ""
        named = ", ".join(names[:_MOST_NAMED])
        return f"no node that has any matches (labels, taints): {named}{more}"
    known = sorted({resource for node in inventory.nodes for resource in node.accelerators})
    others = f"; there are: {', '.join(known[:_MOST_NAMED])}" if known else ""
    return f"no node of this cluster has any{others}"
