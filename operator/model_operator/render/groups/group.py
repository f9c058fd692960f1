"""A group: the StatefulSet that keeps its members, and what they find each other and hide by."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest
from model_operator.domain.placement.topology import topology_of
from model_operator.domain.routing.routers import SELECTOR
from model_operator.domain.wish.revision import Revision
from model_operator.domain.wish.spec import Identity
from model_operator.render.groups.member import secret_data
from model_operator.render.groups.topology import affinity
from model_operator.render.metadata import child_metadata, pod_selector


def group(identity: Identity, revision: Revision, name: str) -> Manifest:
    """The StatefulSet of one copy of a model that is divided."""
    metadata = child_metadata(identity, name, revision.name, revision.arm)
    of_group = {names.GROUP_LABEL: name}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": metadata | {"labels": metadata["labels"] | of_group},
        "spec": {
            "replicas": revision.shards,
            "serviceName": names.members_name(revision.name),
            # No member is ready before all are there.
            "podManagementPolicy": "Parallel",
            # A revision's template never changes; a mended foreign edit must replace no member.
            "updateStrategy": {"type": "OnDelete"},
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": pod_selector(identity.name, revision.name) | of_group},
            "template": _member_template(revision.template, identity.namespace, name),
        },
    }


def _member_template(template: Manifest, namespace: str, group: str) -> Manifest:
    """The revision's, with what tells members of this group from those of others."""
    key = names.group_key(namespace, group)
    own = {names.GROUP_LABEL: group, names.GROUP_KEY_LABEL: key}
    metadata, spec = template["metadata"], template["spec"]
    if topology := topology_of(template):
        spec = spec | {"affinity": affinity(spec.get("affinity") or {}, topology, key)}
    return template | {"metadata": metadata | {"labels": metadata["labels"] | own}, "spec": spec}


def members_service(identity: Identity, revision: Revision, groups: int) -> Manifest:
    """Gives the members of all groups of a revision their addresses, ready or not.

    It stands for the revision also while that has no group, and says how many it should have.
    """
    name = names.members_name(revision.name)
    metadata = child_metadata(identity, name, arm=revision.arm)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata
        | {
            "labels": metadata["labels"] | {names.MEMBERS_LABEL: revision.name},
            "annotations": {names.GROUPS_ANNOTATION: str(groups)},
        },
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": pod_selector(identity.name, revision.name),
            "ports": [{"name": "grpc", "port": names.GRPC_PORT, "protocol": "TCP"}],
        },
    }


def group_policy(identity: Identity, revision: Revision, name: str) -> Manifest:
    """Only routers and the group's own members reach the port that members answer on.

    The other port is for probes, metrics and the operator. Hosts of a TPU slice use ports of their
    own between them.
    """
    own = {names.GROUP_LABEL: name}
    metadata = child_metadata(identity, name, revision.name, revision.arm)
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata | {"labels": metadata["labels"] | own},
        "spec": {
            "podSelector": {"matchLabels": {names.DEPLOYMENT_LABEL: identity.name} | own},
            "policyTypes": ["Ingress"],
            "ingress": [
                {
                    "from": [
                        {"podSelector": {"matchLabels": own}},
                        {"podSelector": {"matchLabels": dict(SELECTOR)}},
                    ],
                    "ports": [{"protocol": "TCP", "port": names.GRPC_PORT}],
                },
                {"ports": [{"protocol": "TCP", "port": names.REST_PORT}]},
                *([{"from": [{"podSelector": {"matchLabels": own}}]}] if revision.is_slice else []),
            ],
        },
    }


def token_secret(identity: Identity, token: str) -> Manifest:
    """What members show each other. It is made once, and nobody reads it but they."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": child_metadata(identity, names.token_name(identity.name)),
        "type": "Opaque",
        "stringData": secret_data(token),
    }
