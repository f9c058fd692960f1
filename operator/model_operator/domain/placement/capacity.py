"""Which nodes a pod could use, and how many accelerators on them are free.

The rules are those of kube-scheduler for node selectors, node affinity, taints and extended
resources (kubernetes.io/docs/concepts/scheduling-eviction). Other things that a pod waits for,
like memory or volumes, are not judged here: the scheduler's own words tell of them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from model_operator.domain import names
from model_operator.domain.manifests import Manifest, is_terminating, label_of

_REPELLING = frozenset({"NoSchedule", "NoExecute"})
_CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


@dataclass(frozen=True)
class Node:
    """A node, reduced to what keeps accelerators from a pod or gives them to it."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Manifest, ...]
    accelerators: Mapping[str, int]


@dataclass(frozen=True)
class Use:
    """Accelerators that a pod holds on a node. `group` is that of which it is a member, if any."""

    node: str
    accelerators: Mapping[str, int]
    group: str = ""


@dataclass(frozen=True)
class Demand:
    """What each pod of a revision takes, and from which nodes it can take it.

    `selector`, `terms` (of the required node affinity, any of which is enough; empty means all
    nodes) and `tolerations` are those of the pod.
    """

    resource: str
    count: int
    selector: Mapping[str, str]
    terms: tuple[Manifest, ...]
    tolerations: tuple[Manifest, ...]


@dataclass(frozen=True)
class Claim:
    """A pod that the scheduler may give a node at any moment, and so what it will hold there."""

    demand: Demand
    group: str = ""


@dataclass(frozen=True)
class Inventory:
    """All accelerators of a cluster, who holds them, and who is about to."""

    nodes: tuple[Node, ...]
    uses: tuple[Use, ...]
    claims: tuple[Claim, ...] = ()


@dataclass(frozen=True)
class Supply:
    """What the nodes that fit a demand have: accelerators, how many are free, room for pods.

    `pods` is how many more pods fit; less than `free` over the demand's count where what is free
    lies scattered over nodes.
    """

    nodes: int
    total: int
    free: int
    pods: int


def demand_of(template: Manifest) -> Demand | None:
    """The demand of the pods made from a template; None when they take no accelerator."""
    spec = template["spec"]
    taken = taken_by(spec)
    if not taken:
        return None
    resource = min(taken)
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return Demand(
        resource=resource,
        count=taken[resource],
        selector=spec.get("nodeSelector") or {},
        terms=tuple(required.get("nodeSelectorTerms") or ()),
        tolerations=tuple(spec.get("tolerations") or ()),
    )


def supply_for(demand: Demand, inventory: Inventory) -> Supply:
    """What the nodes that the demand fits have for it now."""
    fitting = [node for node in inventory.nodes if fits(demand, node)]
    unused = free_by_node(demand.resource, inventory)
    free = [unused[node.name] for node in fitting]
    return Supply(
        nodes=len(fitting),
        total=sum(node.accelerators[demand.resource] for node in fitting),
        free=sum(free),
        pods=sum(count // demand.count for count in free),
    )


def free_by_node(resource: str, inventory: Inventory) -> dict[str, int]:
    """How many of a resource each node that has it has left, by its name."""
    used: Counter[str] = Counter()
    for use in inventory.uses:
        used[use.node] += use.accelerators.get(resource, 0)
    having = [node for node in inventory.nodes if resource in node.accelerators]
    return {node.name: max(0, node.accelerators[resource] - used[node.name]) for node in having}


def fits(demand: Demand, node: Node) -> bool:
    """True when the scheduler would give such a pod an accelerator of the node, were it free."""
    return (
        node.accelerators.get(demand.resource, 0) > 0
        and all(node.labels.get(label) == value for label, value in demand.selector.items())
        and (not demand.terms or any(_holds(term, node) for term in demand.terms))
        and all(_is_tolerated(taint, demand.tolerations) for taint in node.taints)
    )


def node_of(manifest: Manifest) -> Node:
    """A node from its object."""
    metadata, spec = manifest["metadata"], manifest.get("spec") or {}
    taints = [taint for taint in spec.get("taints") or () if taint["effect"] in _REPELLING]
    # The node controller adds this taint too, some moments later.
    cordon = [_CORDON] if spec.get("unschedulable") else []
    allocatable = (manifest.get("status") or {}).get("allocatable") or {}
    return Node(
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        taints=(*taints, *cordon),
        accelerators=_accelerators(allocatable),
    )


def use_of(pod: Manifest) -> Use | None:
    """What a pod holds; None when it holds neither accelerators nor a place for its group."""
    node = pod["spec"].get("nodeName")
    if not node or _has_ended(pod):
        return None
    taken, group = taken_by(pod["spec"]), label_of(pod, names.GROUP_KEY_LABEL)
    return Use(node, taken, group) if taken or group else None


def claim_of(pod: Manifest) -> Claim | None:
    """What a pod may hold soon; None when it has a node, or waits for more than accelerators."""
    spec = pod["spec"]
    if spec.get("nodeName") or spec.get("schedulingGates") or is_terminating(pod):
        return None
    demand = None if _has_ended(pod) else demand_of(pod)
    if demand is None or _is_refused_for_more(pod, demand.resource):
        return None
    return Claim(demand, label_of(pod, names.GROUP_KEY_LABEL))


def lacks(resource: str, words: str) -> bool:
    """Whether those words of the scheduler say that nodes would fit if they had more of it."""
    return f"Insufficient {resource}" in words


def _has_ended(pod: Manifest) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def _is_refused_for_more(pod: Manifest, resource: str) -> bool:
    return any(
        condition["type"] == "PodScheduled"
        and condition["status"] == "False"
        and not lacks(resource, condition.get("message") or "")
        for condition in (pod.get("status") or {}).get("conditions") or ()
    )


def taken_by(spec: Manifest) -> dict[str, int]:
    """The accelerators that a pod takes by its spec.

    Init containers run one after another before the others, except those that keep running.
    """
    running: Counter[str] = Counter()
    highest: Counter[str] = Counter()
    for container in spec.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            running += _limits(container)
        else:
            highest |= running + _limits(container)
    for container in spec.get("containers") or ():
        running += _limits(container)
    return dict(highest | running)


def _limits(container: Manifest) -> Counter[str]:
    # Of an extended resource a pod has a limit, and its request is the same.
    return Counter(_accelerators((container.get("resources") or {}).get("limits") or {}))


def _accelerators(quantities: Mapping[str, Any]) -> dict[str, int]:
    """The extended resources among quantities; those are whole numbers, without a suffix."""
    return {
        resource: int(quantity)
        for resource, quantity in quantities.items()
        if _is_extended(resource) and str(quantity).isdecimal() and int(quantity) > 0
    }


def _is_extended(resource: str) -> bool:
    domain, slash, _ = resource.partition("/")
    is_native = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    return bool(slash) and not is_native


def _holds(term: Manifest, node: Node) -> bool:
    on_labels, on_fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    fields = {"metadata.name": node.name}
    # A term without any expression selects no node.
    return bool(on_labels or on_fields) and (
        all(_matches(expression, node.labels) for expression in on_labels)
        and all(_matches(expression, fields) for expression in on_fields)
    )


def _matches(expression: Manifest, values: Mapping[str, str]) -> bool:
    value, given = values.get(expression["key"]), expression.get("values") or []
    match expression["operator"]:
        case "In":
            return value in given
        case "NotIn":
            return value not in given
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return _is_greater(value, given[0])
        case "Lt":
            return _is_greater(given[0], value)
    return False


def _is_greater(one: str | None, other: str | None) -> bool:
    try:
        return int(one or "") > int(other or "")
    except ValueError:
        return False


def _is_tolerated(taint: Manifest, tolerations: Iterable[Manifest]) -> bool:
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Manifest, taint: Manifest) -> bool:
    key, effect = toleration.get("key"), toleration.get("effect")
    if effect and effect != taint["effect"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return not key or key == taint["key"]
    same_value = bool(toleration.get("value", "") == taint.get("value", ""))
    return key == taint["key"] and same_value
