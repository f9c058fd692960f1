"""ConfigMaps and EndpointSlices as the operator and Kubernetes write them."""

from __future__ import annotations

import json
from typing import Any

RECORD_LABELS = {
    "app.kubernetes.io/managed-by": "modelfleet",
    "app.kubernetes.io/component": "traffic-record",
}


def record(name: str, ports: tuple[int, int], split: dict[str, int], **more: Any) -> dict[str, Any]:
    """A traffic record."""
    return {
        "schema": 1,
        "name": name,
        "ports": {"grpc": ports[0], "rest": ports[1]},
        "timeoutSeconds": 5,
        "split": [{"revision": revision, "weight": w} for revision, w in split.items()],
    } | more


def config_map(document: dict[str, Any], model: str = "") -> dict[str, Any]:
    """The ConfigMap that carries a record."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"{model or document['name']}-traffic", "labels": RECORD_LABELS},
        "data": {"record.json": json.dumps(document)},
    }


def endpoint(address: str, **conditions: bool) -> dict[str, Any]:
    """One pod of an EndpointSlice."""
    return {"addresses": [address], "conditions": conditions}


def endpoint_slice(
    revision: str, *endpoints: dict[str, Any], name: str = "", family: str = "IPv4"
) -> dict[str, Any]:
    """An EndpointSlice as Kubernetes makes it from the Service of a revision."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name or f"{revision}-abcde",
            "labels": {"modelfleet.dev/revision": revision},
        },
        "addressType": family,
        "endpoints": list(endpoints),
        "ports": [
            {"name": "grpc", "port": 8500, "protocol": "TCP"},
            {"name": "rest", "port": 8501, "protocol": "TCP"},
        ],
    }
