"""What guards the pods: against too many evictions at once, and against odd connections."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.spec import Identity
from model_operator.render.metadata import child_metadata, pod_selector


def disruption_budget(identity: Identity, revision: str, arm: str = "") -> Manifest:
    """Drains take one pod at a time of the revision that gets the traffic.

    That of an arm is named by its revision, as no other object is.
    """
    name = revision if arm else names.protection_name(identity.name)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": child_metadata(identity, name, arm=arm),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": pod_selector(identity.name, revision)},
        },
    }


def network_policy(identity: Identity) -> Manifest:
    """The two ports of the server are open to all, the operator included, and no other is."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": child_metadata(identity, names.protection_name(identity.name)),
        "spec": {
            "podSelector": {"matchLabels": {names.DEPLOYMENT_LABEL: identity.name}},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "ports": [
                        {"protocol": "TCP", "port": names.GRPC_PORT},
                        {"protocol": "TCP", "port": names.REST_PORT},
                    ]
                }
            ],
        },
    }
