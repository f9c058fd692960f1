"""Nodes without a machine: kwok answers for them, and for thousands of pods on them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testcluster import accelerators
from testcluster.api import Api

STAGES = Path(__file__).with_name("stages.yaml")
_ANNOTATION = {"kwok.x-k8s.io/node": "fake"}


def make_nodes(api: Api, count: int, counts: Mapping[str, int]) -> None:
    """Create kwok-1, kwok-2 and so on. Raises ClusterError when one is refused."""
    for number in range(1, count + 1):
        api.create("/api/v1/nodes", node(f"kwok-{number}", counts))


def node(name: str, counts: Mapping[str, int]) -> dict[str, Any]:
    """A large node with these accelerators."""
    room = {"cpu": "64", "memory": "512Gi", "pods": "1000"} | accelerators.capacity(counts)
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": _ANNOTATION,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                **accelerators.labels(counts),
            },
        },
        # A node's status may be given when it is created, unlike other objects'.
        "status": {"capacity": room, "allocatable": room},
    }
