"""How the members of a group stand to each other, in the words of the scheduler."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest
from model_operator.domain.placement.topology import Mode, Topology
from model_operator.domain.wish.spec import ModelDeployment

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
# GKE makes each slice of several hosts a node pool of its own.
_OF_SLICES = Topology("cloud.google.com/gke-nodepool", Mode.EXCLUSIVE)


def topology_for(deployment: ModelDeployment) -> Topology | None:
    """The user's, or that of a group which is one TPU slice; None where members stand anywhere."""
    sharding, accelerator = deployment.sharding, deployment.accelerator
    if sharding is None or sharding.topology:
        return sharding.topology if sharding else None
    is_slice = accelerator is not None and accelerator.tpu and accelerator.tpu.hosts > 1
    return _OF_SLICES if is_slice else None


def affinity(given: Manifest, topology: Topology, key: str) -> Manifest:
    """That of a member of the group with this key, beside what the pod is given anyway."""
    own = {"matchLabels": {names.GROUP_KEY_LABEL: key}}
    if topology.mode is Mode.SPREAD:
        return _with_term(given, "podAntiAffinity", _term(topology, own))
    together = _with_term(given, "podAffinity", _term(topology, own))
    if topology.mode is Mode.PACK:
        return together
    others = [
        {"key": names.GROUP_KEY_LABEL, "operator": "Exists"},
        {"key": names.GROUP_KEY_LABEL, "operator": "NotIn", "values": [key]},
    ]
    # Of all namespaces: a domain is not shared with other users' groups either.
    term = _term(topology, {"matchExpressions": others}) | {"namespaceSelector": {}}
    return _with_term(together, "podAntiAffinity", term)


def _term(topology: Topology, selector: Manifest) -> Manifest:
    return {"topologyKey": topology.key, "labelSelector": selector}


def _with_term(affinity: Manifest, kind: str, term: Manifest) -> Manifest:
    given = affinity.get(kind) or {}
    return affinity | {kind: given | {_REQUIRED: [*(given.get(_REQUIRED) or ()), term]}}
