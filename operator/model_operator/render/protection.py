"""What guards the pods: against too many evictions at once, and against odd connections."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.spec import Identity
from model_operator.render.metadata import child_metadata, pod_selector


def disruption_budget(
    identity: Identity, revision: str, arm: str = "", is_divided: bool = False
) -> Manifest:
    """Drains take one pod at a time of the revision that gets the traffic, or one group.

    That of an arm is named by its revision, as no other object is. Where a model is divided, the
    loss of one pod makes all others of its group unready: these may go with it, and none of
    another group.
    """
    with_group = {"unhealthyPodEvictionPolicy": "AlwaysAllow"} if is_divided else {}
    name = revision if arm else names.protection_name(identity.name)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": child_metadata(identity, name, arm=arm),
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": pod_selector(identity.name, revision)},
        }
        | with_group,
    }


def network_policy(
    identity: Identity, spares_groups: bool = False, has_slices: bool = False
) -> Manifest:
    """The two ports of the server are open to all, the operator included, and no other is.

    `spares_groups`: not about pods of groups, which have policies of their own. `has_slices`: some
    groups are TPU slices, whose members use further ports between them.
    """
    own: Manifest = {"matchLabels": {names.DEPLOYMENT_LABEL: identity.name}}
    pods = own
    if spares_groups:
        pods = own | {"matchExpressions": [{"key": names.GROUP_LABEL, "operator": "DoesNotExist"}]}
    members = own | {"matchExpressions": [{"key": names.GROUP_LABEL, "operator": "Exists"}]}
    talks = has_slices and not spares_groups
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": child_metadata(identity, names.protection_name(identity.name)),
        "spec": {
            "podSelector": pods,
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "ports": [
                        {"protocol": "TCP", "port": names.GRPC_PORT},
                        {"protocol": "TCP", "port": names.REST_PORT},
                    ]
                },
                *([{"from": [{"podSelector": members}]}] if talks else []),
            ],
        },
    }
