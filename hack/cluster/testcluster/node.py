"""A node: a network namespace and a mount namespace with containerd, kubelet and kube-proxy."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from testcluster import binaries, credentials, network, node_files
from testcluster.addresses import POD_RANGE, Node
from testcluster.certificates import Holder
from testcluster.folders import ClusterFolder
from testcluster.node_files import NodeFiles
from testcluster.processes import Placement, Processes
from testcluster.tools import run

# Paths that are compiled into containerd, its shims, CNI and the kubelet. Each node has its own
# behind them, so that nodes do not meet there, nor a kubelet that the machine itself may have.
_COMPILED_IN = tuple(
    map(Path, ("/run/containerd", "/var/lib/kubelet", "/var/lib/cni", "/var/log/containers"))
)

# Mounts made in a node are seen by all of the node, never by the machine; and they end with it.
_OWN_MOUNTS = """
mount --make-rshared / || exit 125
while [ "$1" != "--" ]; do mount --bind "$1" "$2" || exit 125; shift 2; done
shift
exec "$@"
"""


@dataclass(frozen=True)
class Membership:
    """The cluster that a node is part of: its files, its processes, and the API server's URL."""

    folder: ClusterFolder
    processes: Processes
    server: str


def files_of(folder: ClusterFolder, node: Node) -> NodeFiles:
    """Where a node's files are."""
    return NodeFiles(folder.inside(node.name))


def start_containerd(cluster: Membership, node: Node) -> None:
    """Configure the node and start its containerd; wait until that answers."""
    files = files_of(cluster.folder, node)
    authority = credentials.authority_of(cluster.folder)
    holder = Holder(f"system:node:{node.name}", "system:nodes", (node.address,), (node.name,))
    node_files.write(files, node, authority.certificate, authority.issue(node.name, holder))
    binds: list[str] = []
    for path in _COMPILED_IN:
        path.mkdir(parents=True, exist_ok=True)
        binds += [str(files.behind(path)), str(path)]
    own = ["unshare", "--mount", "--propagation=slave", "sh", "-c", _OWN_MOUNTS, "mounts", *binds]
    placement = _in_network(cluster.processes.placement, node)
    command = [*own, "--", "containerd", f"--config={files.containerd}"]
    cluster.processes.start(f"{node.name}-containerd", command, placement)
    cluster.processes.wait_until(
        lambda: answers(files), f"containerd of {node.name} answers", within=120.0
    )


def start_kubelet(cluster: Membership, node: Node) -> None:
    """Start the kubelet and kube-proxy of a node whose containerd answers."""
    files = files_of(cluster.folder, node)
    kubelet = credentials.login(
        *(cluster.folder, cluster.server, f"{node.name}-kubelet"),
        Holder(f"system:node:{node.name}", "system:nodes"),
    )
    proxy = credentials.login(
        *(cluster.folder, cluster.server, f"{node.name}-proxy"), Holder("system:kube-proxy")
    )
    containerd = cluster.processes.remembered()[f"{node.name}-containerd"]
    in_network = _in_network(cluster.processes.placement, node)
    mounts = (f"--mount=/proc/{containerd.pid}/ns/mnt",)
    in_node = replace(in_network, through=(*in_network.through, *mounts))
    command = _kubelet(binaries.location("kubelet"), files, node, kubelet)
    cluster.processes.start(f"{node.name}-kubelet", command, in_node)
    command = _kube_proxy(binaries.location("kube-proxy"), node, proxy)
    cluster.processes.start(f"{node.name}-proxy", command, in_network)


def answers(files: NodeFiles) -> bool:
    """Whether a node's containerd does."""
    if not files.socket.exists():
        return False
    with contextlib.suppress(Exception):
        run(ctr(files, "version"))
        return True
    return False


def ctr(files: NodeFiles, *words: str) -> list[str]:
    """A command of containerd's own client, in the namespace that the kubelet uses."""
    return ["ctr", f"--address={files.socket}", "--namespace=k8s.io", *words]


def remove_shared_folders() -> None:
    """Remove what was made to mount on, if nothing is in it. For when no node is left."""
    for path in _COMPILED_IN:
        with contextlib.suppress(OSError):
            path.rmdir()


def _in_network(placement: Placement, node: Node) -> Placement:
    return replace(placement, through=network.inside(node))


def _kubelet(program: Path, files: NodeFiles, node: Node, kubeconfig: Path) -> Sequence[str]:
    return [
        str(program),
        f"--config={files.kubelet}",
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
    ]


def _kube_proxy(program: Path, node: Node, kubeconfig: Path) -> Sequence[str]:
    return [
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--hostname-override={node.name}",
        "--proxy-mode=nftables",
        f"--cluster-cidr={POD_RANGE}",
        # The size of the connection table is the machine's, not the namespace's.
        "--conntrack-max-per-core=0",
        "--metrics-bind-address=127.0.0.1:10249",
        "--healthz-bind-address=127.0.0.1:10256",
    ]
