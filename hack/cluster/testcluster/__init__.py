"""A real Kubernetes on one machine: a whole cluster in network namespaces, or a control plane."""

from testcluster.cluster import Cluster, Wish
from testcluster.control_plane import Contents, ControlPlane
from testcluster.failures import ClusterError, CommandFailed

__all__ = ["Cluster", "ClusterError", "CommandFailed", "Contents", "ControlPlane", "Wish"]
