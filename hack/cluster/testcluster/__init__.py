"""A real Kubernetes on one machine: a whole cluster in network namespaces, or a control plane."""

from testcluster.control_plane import Contents, ControlPlane
from testcluster.failures import ClusterError, CommandFailed

__all__ = ["ClusterError", "CommandFailed", "Contents", "ControlPlane"]
