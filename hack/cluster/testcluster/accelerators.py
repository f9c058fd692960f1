"""Accelerators that are not there: what a node with them would say of itself.

The labels are those of NVIDIA's GPU feature discovery, GKE, EKS with Karpenter, and AKS; the
taints those of GKE. Products are examples of each vendor's.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from testcluster.failures import ClusterError

_GPU = "nvidia.com/gpu"
_TPU = "google.com/tpu"
_NEURON = "aws.amazon.com/neuron"
# How the chips of one TPU v5e machine are wired; GKE has no others.
_TPU_TOPOLOGIES = {1: "1x1", 4: "2x2", 8: "2x4"}


def parse(words: Iterable[str]) -> dict[str, int]:
    """`nvidia.com/gpu=4` and the like, as counts by resource.

    Raises:
        ClusterError: a word is not RESOURCE=NUMBER.
    """
    counts = {}
    for word in words:
        resource, equals, count = word.partition("=")
        if not (equals and "/" in resource and count.isdigit()):
            raise ClusterError(f"{word!r}: give accelerators as RESOURCE=N, like nvidia.com/gpu=4")
        counts[resource] = int(count)
    return counts


def labels(counts: Mapping[str, int]) -> dict[str, str]:
    """The labels of a node with these accelerators; none for a vendor that is not known."""
    found: dict[str, str] = {}
    for resource, count in counts.items():
        match resource:
            case "nvidia.com/gpu":
                found |= _nvidia(count)
            case "google.com/tpu":
                found |= _google(count)
            case "aws.amazon.com/neuron":
                found |= {"karpenter.k8s.aws/instance-accelerator-count": str(count)}
                found |= {"karpenter.k8s.aws/instance-accelerator-name": "inferentia2"}
    return found


def taints(counts: Mapping[str, int]) -> list[dict[str, str]]:
    """The taints that keep other pods off such a node on GKE."""
    return [
        {"key": resource, "value": "present", "effect": "NoSchedule"}
        for resource in counts
        if resource in (_GPU, _TPU, _NEURON)
    ]


def capacity(counts: Mapping[str, int]) -> dict[str, str]:
    """The quantities that a node's device plugins would report."""
    return {resource: str(count) for resource, count in counts.items()}


def node_patch(counts: Mapping[str, int], tainted: bool) -> dict[str, Any]:
    """The merge patch that turns a node into one with these accelerators."""
    spec = {"spec": {"taints": taints(counts)}} if tainted else {}
    return {"metadata": {"labels": labels(counts)}, **spec}


def _nvidia(count: int) -> dict[str, str]:
    feature_discovery = {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB",
        "nvidia.com/gpu.memory": "81920",
        "nvidia.com/gpu.family": "ampere",
        "nvidia.com/gpu.compute.major": "8",
        "nvidia.com/gpu.compute.minor": "0",
        "nvidia.com/mig.capable": "true",
    }
    clouds = {
        "cloud.google.com/gke-accelerator": "nvidia-a100-80gb",
        "cloud.google.com/gke-accelerator-count": str(count),
        "karpenter.k8s.aws/instance-gpu-name": "a100",
        "karpenter.k8s.aws/instance-gpu-count": str(count),
        "karpenter.k8s.aws/instance-gpu-manufacturer": "nvidia",
        "karpenter.k8s.aws/instance-gpu-memory": "81920",
        "kubernetes.azure.com/accelerator": "nvidia",
    }
    return feature_discovery | clouds


def _google(count: int) -> dict[str, str]:
    if count not in _TPU_TOPOLOGIES:
        raise ClusterError(f"google.com/tpu={count}: a TPU v5e machine has 1, 4 or 8 chips")
    return {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
        "cloud.google.com/gke-tpu-topology": _TPU_TOPOLOGIES[count],
        "cloud.google.com/gke-accelerator-count": str(count),
    }
