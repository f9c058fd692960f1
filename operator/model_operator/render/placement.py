"""Where pods run: the user's scheduling and the accelerator's demands in one pod's spec."""

from collections.abc import Sequence

from model_operator.domain.manifests import Manifest
from model_operator.domain.placement.scheduling import Scheduling
from model_operator.domain.placement.topology import Topology
from model_operator.domain.wish.spec import ModelDeployment
from model_operator.render import accelerator as accelerators
from model_operator.render.metadata import pod_selector

# Spread over nodes first: two zones with one node each are both.
_SPREAD_OVER = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def spread(deployment: ModelDeployment, revision: str) -> list[Manifest]:
    """Constraints for the revision's pods: the user's, or evenly over nodes and zones if it can be.

    A constraint of the user without a selector is about the pods of the revision.
    """
    own = {"matchLabels": pod_selector(deployment.identity.name, revision)}
    given = deployment.scheduling.items("topologySpreadConstraints")
    if given:
        return [{"labelSelector": own} | constraint for constraint in given]
    return [
        {
            "maxSkew": 1,
            "topologyKey": key,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": own,
        }
        for key in _SPREAD_OVER
    ]


def placement(deployment: ModelDeployment, topology: Topology | None = None) -> Manifest:
    """The other parts of the pod's spec; what nobody asked for is absent.

    With a topology, nodes that are in none of its domains are out of question.
    """
    scheduling, accelerator = deployment.scheduling, deployment.accelerator
    terms = accelerators.node_terms(accelerator) if accelerator else []
    if topology:
        labelled = {"matchExpressions": [{"key": topology.key, "operator": "Exists"}]}
        terms = [_both(term, labelled) for term in terms] or [labelled]
    demanded = accelerators.tolerations(accelerator) if accelerator else []
    tolerated = scheduling.items("tolerations")
    parts = {
        "nodeSelector": scheduling.get("nodeSelector"),
        "affinity": _affinity(scheduling, terms),
        "tolerations": [*(item for item in demanded if item not in tolerated), *tolerated],
        "imagePullSecrets": scheduling.items("imagePullSecrets"),
    } | scheduling.words()
    return {part: value for part, value in parts.items() if value}


def _affinity(scheduling: Scheduling, terms: Sequence[Manifest]) -> Manifest:
    """The user's affinity, of which each required term must hold together with one of `terms`."""
    affinity = scheduling.get("affinity")
    if not terms:
        return affinity
    on_nodes = affinity.get("nodeAffinity") or {}
    given = (on_nodes.get(_REQUIRED) or {}).get("nodeSelectorTerms") or []
    both = [_both(one, other) for one in given for other in terms] or list(terms)
    return affinity | {"nodeAffinity": on_nodes | {_REQUIRED: {"nodeSelectorTerms": both}}}


def _both(one: Manifest, other: Manifest) -> Manifest:
    expressions = [*(one.get("matchExpressions") or ()), *other["matchExpressions"]]
    return one | {"matchExpressions": expressions}
