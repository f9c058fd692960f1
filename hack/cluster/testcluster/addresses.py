"""The addresses inside a cluster. Each has network namespaces of its own, so all use the same."""

from dataclasses import dataclass
from pathlib import Path

SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
POD_RANGE = "10.244.0.0/16"
NODE_RANGE_LENGTH = 24
CLUSTER_DOMAIN = "cluster.local"
# One pod range of 256 addresses for each node, and one byte to number them in.
MOST_NODES = 200


@dataclass(frozen=True)
class Node:
    """A real node of a cluster, the first of which also runs the control plane."""

    cluster: str
    number: int

    @property
    def name(self) -> str:
        return f"node-{self.number}"

    @property
    def address(self) -> str:
        return f"10.199.0.{self.number}"

    @property
    def pod_range(self) -> str:
        return f"10.244.{self.number - 1}.0/24"

    @property
    def namespace(self) -> str:
        """The name of its network namespace."""
        return f"{prefix(self.cluster)}-{self.name}"

    @property
    def namespace_file(self) -> Path:
        return Path("/run/netns") / self.namespace


def nodes(cluster: str, count: int) -> list[Node]:
    """The first `count` nodes of a cluster."""
    return [Node(cluster, number) for number in range(1, count + 1)]


def prefix(cluster: str) -> str:
    """What the names of a cluster's namespaces begin with; also the name of its cgroup."""
    return f"testcluster-{cluster}"
