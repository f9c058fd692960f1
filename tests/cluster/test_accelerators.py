"""Nodes that pretend to have accelerators say what real ones say."""

import pytest

from testcluster import accelerators
from testcluster.failures import ClusterError


def test_words_are_read_as_counts() -> None:
    words = ["nvidia.com/gpu=4", "google.com/tpu=8"]

    assert accelerators.parse(words) == {"nvidia.com/gpu": 4, "google.com/tpu": 8}


@pytest.mark.parametrize("word", ["nvidia.com/gpu", "gpu=4", "nvidia.com/gpu=many", "=4", ""])
def test_other_words_are_refused(word: str) -> None:
    with pytest.raises(ClusterError, match="RESOURCE=N"):
        accelerators.parse([word])


@pytest.mark.parametrize(
    ("resource", "count", "label", "value"),
    [
        ("nvidia.com/gpu", 4, "nvidia.com/gpu.count", "4"),
        ("nvidia.com/gpu", 4, "nvidia.com/gpu.product", "NVIDIA-A100-SXM4-80GB"),
        ("nvidia.com/gpu", 4, "cloud.google.com/gke-accelerator", "nvidia-a100-80gb"),
        ("nvidia.com/gpu", 4, "karpenter.k8s.aws/instance-gpu-count", "4"),
        ("nvidia.com/gpu", 4, "kubernetes.azure.com/accelerator", "nvidia"),
        ("google.com/tpu", 1, "cloud.google.com/gke-tpu-topology", "1x1"),
        ("google.com/tpu", 4, "cloud.google.com/gke-tpu-topology", "2x2"),
        ("google.com/tpu", 8, "cloud.google.com/gke-tpu-topology", "2x4"),
        ("google.com/tpu", 8, "cloud.google.com/gke-tpu-accelerator", "tpu-v5-lite-podslice"),
        ("aws.amazon.com/neuron", 2, "karpenter.k8s.aws/instance-accelerator-count", "2"),
    ],
)
def test_a_node_carries_its_vendors_labels(
    resource: str, count: int, label: str, value: str
) -> None:
    assert accelerators.labels({resource: count})[label] == value


def test_a_vendor_that_is_not_known_has_no_labels() -> None:
    assert accelerators.labels({"example.com/chip": 2}) == {}


def test_a_machine_that_is_not_made_is_refused() -> None:
    with pytest.raises(ClusterError, match="1, 4 or 8 chips"):
        accelerators.labels({"google.com/tpu": 3})


def test_taints_are_left_alone_unless_asked_for() -> None:
    assert "spec" not in accelerators.node_patch({"nvidia.com/gpu": 1}, tainted=False)


def test_a_tainted_node_keeps_other_pods_off() -> None:
    patch = accelerators.node_patch({"nvidia.com/gpu": 1}, tainted=True)

    assert patch["spec"]["taints"] == [
        {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    ]
