"""The objects by which requests reach the revisions of a ModelDeployment through a router."""

from model_operator.domain.manifests import Manifest
from model_operator.domain.routing.routers import SELECTOR
from model_operator.domain.routing.traffic import (
    RECORD_KEY,
    RECORD_LABEL,
    STABLE_KEY,
    Ports,
    Traffic,
    record_name,
    record_text,
)
from model_operator.domain.wish.spec import Identity
from model_operator.render.metadata import child_metadata, pod_selector
from model_operator.render.service import service_ports


def traffic_record(identity: Identity, traffic: Traffic, stable: str = "") -> Manifest:
    """What the router of the namespace is to do for this ModelDeployment.

    `stable` is the revision that the operator falls back to; routers do not read it.
    """
    metadata = child_metadata(identity, record_name(identity.name))
    label, value = RECORD_LABEL
    metadata["labels"] = metadata["labels"] | {label: value}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {RECORD_KEY: record_text(identity.name, traffic)}
        | ({STABLE_KEY: stable} if stable else {}),
    }


def revision_service(identity: Identity, revision: str, arm: str = "") -> Manifest:
    """Makes Kubernetes keep the list of a revision's ready pods, which the router reads."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(identity, revision, revision, arm),
        "spec": {
            "type": "ClusterIP",
            # Nobody asks for it by an address.
            "clusterIP": "None",
            "selector": pod_selector(identity.name, revision),
            "ports": service_ports("grpc", "rest"),
        },
    }


def entry_service(identity: Identity, ports: Ports) -> Manifest:
    """The Service with the ModelDeployment's own name; it leads to its listeners of the router."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(identity, identity.name),
        "spec": {
            "type": "ClusterIP",
            "selector": dict(SELECTOR),
            "ports": service_ports(ports.grpc, ports.rest),
        },
    }
