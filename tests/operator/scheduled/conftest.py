"""A cluster with nodes of many kinds, and an operator that serves it.

The nodes have no machines; they carry the resources, labels and taints of each vendor's, and kwok
answers for them and their pods.
"""

import pytest

from api_server import ApiServer
from operator_process import OperatorProcess
from testcluster import Contents, ControlPlane, binaries, kwok

GPU, TPU, MIG = "nvidia.com/gpu", "google.com/tpu", "nvidia.com/mig-1g.10gb"
AMD, NPU, FEW = "amd.com/gpu", "x.example/npu", "x.example/few"
PRODUCT = "nvidia.com/gpu.product"
ZONE, RACK = "topology.kubernetes.io/zone", "example.com/rack"
POOL = "cloud.google.com/gke-nodepool"
SLICE = {
    "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
    "cloud.google.com/gke-tpu-topology": "4x4",
}


def taint(key, value):
    return [{"key": key, "value": value, "effect": "NoSchedule"}]


# By name: accelerators, labels, taints.
NODES = {
    "discovered-a100": ({GPU: 8}, {PRODUCT: "NVIDIA-A100-SXM4-80GB"}, []),
    "discovered-h100": ({GPU: 4}, {PRODUCT: "NVIDIA-H100-80GB-HBM3"}, []),
    "gke-l4": (
        {GPU: 1},
        {"cloud.google.com/gke-accelerator": "nvidia-l4"},
        taint(GPU, "present"),
    ),
    "gke-l4-shared": (
        {GPU: 4},
        {
            "cloud.google.com/gke-accelerator": "nvidia-l4",
            "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
            "cloud.google.com/gke-max-shared-clients-per-gpu": "4",
        },
        taint(GPU, "present"),
    ),
    "karpenter-a10g": ({GPU: 1}, {"karpenter.k8s.aws/instance-gpu-name": "a10g"}, []),
    "karpenter-a100-40": (
        {GPU: 8},
        {
            "karpenter.k8s.aws/instance-gpu-name": "a100",
            "karpenter.k8s.aws/instance-gpu-memory": "40960",
        },
        taint(GPU, "true"),
    ),
    "azure-t4": (
        {GPU: 1},
        {"node.kubernetes.io/instance-type": "Standard_NC4as_T4_v3"},
        taint("sku", "gpu"),
    ),
    "partitioned-a100": ({MIG: 7}, {PRODUCT: "NVIDIA-A100-SXM4-80GB"}, []),
    "gke-v5e": (
        {TPU: 8},
        {
            "cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite-podslice",
            "cloud.google.com/gke-tpu-topology": "2x4",
        },
        taint(TPU, "present"),
    ),
    "neuron": (
        {"aws.amazon.com/neuron": 1},
        {"karpenter.k8s.aws/instance-accelerator-name": "inferentia2"},
        taint("aws.amazon.com/neuron", "present"),
    ),
    "npus": ({NPU: 4}, {}, []),
    "few": ({FEW: 3}, {}, []),
    **{f"a{number}": ({AMD: 2}, {RACK: "a"}, []) for number in range(2)},
    **{f"b{number}": ({AMD: 2}, {RACK: "b"}, []) for number in range(2)},
    # Together they have room for two slices, but each pool is one of its own.
    **{f"old-{number}": ({TPU: 4}, SLICE | {POOL: "old"}, []) for number in range(3)},
    **{f"new-{number}": ({TPU: 4}, SLICE | {POOL: "new"}, []) for number in range(4)},
    "east": ({}, {ZONE: "east", "pool": "models"}, []),
    "west": ({}, {ZONE: "west", "pool": "models"}, []),
}


@pytest.fixture(scope="package")
def cluster():
    with ControlPlane(Contents(controllers=True, kwok_nodes=1)) as plane:
        for name, (counts, labels, taints) in NODES.items():
            node = kwok.node(name, {})
            node["metadata"]["labels"] |= labels
            node["spec"] = {"taints": taints}
            room = node["status"]["capacity"] | {key: str(n) for key, n in counts.items()}
            node["status"] = {"capacity": room, "allocatable": room}
            plane.api.create("/api/v1/nodes", node)
        yield plane


class Operators:
    """One operator after the other."""

    def __init__(self, kubeconfig, folders):
        self._kubeconfig, self._folders = kubeconfig, folders
        self._process = None

    def start(self):
        log = self._folders.mktemp("operator") / "operator.log"
        settings = {"MODELFLEET_ALLOW_NODE_PATHS": "true"}
        self._process = OperatorProcess(self._kubeconfig, log, **settings)
        self._process.port()

    def stop(self):
        assert self._process.stop() == 0, self._process.log.read_text()


@pytest.fixture(scope="package")
def operator(cluster, install_crd, tmp_path_factory):
    install_crd(cluster)
    operators = Operators(cluster.kubeconfig, tmp_path_factory)
    operators.start()
    yield operators
    operators.stop()


@pytest.fixture(scope="package")
def shop(cluster, operator):
    """A namespace that the operator serves."""
    api = ApiServer(binaries.location("kubectl"), cluster.kubeconfig, "shop")
    api.run("create", "namespace", "shop")
    return api
