"""The end of a cluster, whole or half made: nothing of it is left on the machine."""

import os
import shutil

from testcluster import cgroups, network
from testcluster.addresses import prefix
from testcluster.folders import ClusterFolder
from testcluster.node import remove_shared_folders
from testcluster.processes import Placement, Processes


def processes_of(folder: ClusterFolder, placement: Placement) -> Processes:
    """The processes of the cluster in this folder."""
    return Processes(folder.path / "processes", folder.path / "logs", placement)


def is_anything_left(folder: ClusterFolder) -> bool:
    """Whether there is a cluster, or a part of one."""
    name = folder.name
    return folder.path.exists() or bool(network.namespaces(name)) or cgroups.exists(prefix(name))


def remove(folder: ClusterFolder) -> None:
    """End its processes, then remove cgroups, namespaces and folder.

    Raises:
        ClusterError: a process does not end.
        OSError: another user's, and this one may not.
    """
    # Those that were written down first: among them are the kubelets, which would start pods anew.
    processes_of(folder, Placement()).end_all()
    if network.namespaces(folder.name) or cgroups.exists(prefix(folder.name)):
        cgroups.remove(prefix(folder.name))
        network.remove(folder.name)
    if folder.path.exists():
        shutil.rmtree(folder.path)
    # Whoever has a cluster here, in whichever folder: removing what it mounts on would unmount it.
    if os.geteuid() == 0 and not cgroups.exists(prefix("*")):
        remove_shared_folders()
