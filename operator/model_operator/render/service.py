"""The Service under which clients find the model, whatever revision serves."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.spec import Identity
from model_operator.render.metadata import child_metadata, pod_selector


def service(identity: Identity, revision: str) -> Manifest:
    """The Service with the ModelDeployment's own name; it leads to the pods of `revision`."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": child_metadata(identity, identity.name),
        "spec": {
            "type": "ClusterIP",
            "selector": pod_selector(identity.name, revision),
            "ports": service_ports("grpc", "rest"),
        },
    }


def service_ports(grpc: int | str, rest: int | str) -> list[Manifest]:
    """The two ports that clients know, and the ports of pods, by name or number, behind them."""
    return [
        {"name": "grpc", "port": names.GRPC_PORT, "protocol": "TCP", "targetPort": grpc},
        {"name": "rest", "port": names.REST_PORT, "protocol": "TCP", "targetPort": rest},
    ]


def endpoints(identity: Identity, model_name: str) -> dict[str, str]:
    """Where clients inside the cluster send requests."""
    host = f"{identity.name}.{identity.namespace}"
    return {
        "grpc": f"{host}:{names.GRPC_PORT}",
        "rest": f"http://{host}:{names.REST_PORT}/v1/models/{model_name}",
    }
