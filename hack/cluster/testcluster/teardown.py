"""The end of a cluster, whole or half made: nothing of it is left on the machine."""

import os
import shutil

from testcluster import cgroups, network, state
from testcluster.addresses import prefix
from testcluster.failures import ClusterError
from testcluster.folders import ClusterFolder
from testcluster.node import remove_shared_folders
from testcluster.processes import Placement, Processes
from testcluster.state import Mode


def processes_of(folder: ClusterFolder, placement: Placement) -> Processes:
    """The processes of the cluster in this folder."""
    return Processes(folder.path / "processes", folder.path / "logs", placement)


def remove(folder: ClusterFolder) -> None:
    """End its processes, then remove cgroups, namespaces and folder.

    Raises:
        ClusterError: a process does not end, or it is root's and this user is not root.
    """
    known = state.read(folder.state)
    # Those that were written down first: among them are the kubelets, which would start pods anew.
    processes_of(folder, Placement()).end_all()
    if known is None or known.mode is Mode.WHOLE:
        _remove_from_machine(folder.name)
    if folder.path.exists():
        shutil.rmtree(folder.path)
    # Whoever has a cluster here, in whichever folder: removing what it mounts on would unmount it.
    if os.geteuid() == 0 and not cgroups.exists(prefix("*")):
        remove_shared_folders()


def _remove_from_machine(name: str) -> None:
    if not network.namespaces(name) and not cgroups.exists(prefix(name)):
        return
    if os.geteuid() != 0:
        raise ClusterError(f"the cluster {name} is root's: remove it as root")
    cgroups.remove(prefix(name))
    network.remove(name)
