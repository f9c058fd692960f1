"""The network namespaces of a cluster's nodes, joined by a bridge in the first, with no way out."""

import re
from pathlib import Path

from testcluster.addresses import NODE_RANGE_LENGTH, SERVICE_RANGE, Node, prefix
from testcluster.tools import run

_NAMESPACES = Path("/run/netns")
_DEVICE = "nodes"


def inside(node: Node) -> tuple[str, ...]:
    """What a command is started through to run in a node's network.

    Not `ip netns exec`, which mounts another /sys and so hides the cgroups.
    """
    return ("nsenter", f"--net={node.namespace_file}")


def make(node: Node, others: list[Node]) -> None:
    """Make the namespace of a node, and the routes between its pods and those of the others."""
    run(["ip", "netns", "add", node.namespace])
    if node.number == 1:
        _ip(node, [f"link add {_DEVICE} type bridge"])
    else:
        first = Node(node.cluster, 1)
        peer = f"peer name {_DEVICE} netns {node.namespace}"
        _ip(first, [f"link add {node.name} type veth {peer}"])
        _ip(first, [f"link set {node.name} master {_DEVICE} up"])
    _ip(
        node,
        [
            "link set lo up",
            f"address add {node.address}/{NODE_RANGE_LENGTH} dev {_DEVICE}",
            f"link set {_DEVICE} up",
            # Service addresses need a route before kube-proxy's rules can rewrite them. There is
            # no default route: whatever is not in the cluster is unreachable at once.
            f"route add {SERVICE_RANGE} dev {_DEVICE}",
            *(_route_to(other) for other in others),
        ],
    )
    for other in others:
        _ip(other, [_route_to(node)])
    run([*inside(node), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])


def namespaces(cluster: str) -> list[str]:
    """The namespaces that are left of a cluster's nodes."""
    ours = re.compile(rf"{re.escape(prefix(cluster))}-node-\d+")
    found = _NAMESPACES.iterdir() if _NAMESPACES.is_dir() else iter(())
    return sorted(file.name for file in found if ours.fullmatch(file.name))


def remove(cluster: str) -> None:
    """Remove a cluster's namespaces; interfaces, routes and rules go with them."""
    for namespace in namespaces(cluster):
        run(["ip", "netns", "delete", namespace])


def _route_to(node: Node) -> str:
    return f"route add {node.pod_range} via {node.address}"


def _ip(node: Node, commands: list[str]) -> None:
    run(["ip", "-n", node.namespace, "-batch", "-"], stdin="\n".join(commands) + "\n")
