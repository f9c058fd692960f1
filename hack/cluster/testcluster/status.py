"""What can be said of a cluster in a few lines."""

from testcluster.client import Client
from testcluster.state import Mode


def describe(client: Client) -> str:
    """Its mode, nodes and processes, and how to speak to it.

    Raises:
        ClusterError: there is no such cluster.
    """
    known = client.state
    lines = [f"{client.name}: {_health(client)}, {_mode(known.mode)}"]
    if client.api.is_ready():
        lines += [f"  ready nodes: {', '.join(client.ready_nodes()) or 'none'}"]
    if ended := client.ended():
        lines += [f"  ended: {', '.join(ended)}"]
    lines += [f"  files: {client.folder.path}", f"  export KUBECONFIG={client.kubeconfig}"]
    return "\n".join(lines)


def _health(client: Client) -> str:
    if not client.state.complete:
        return "began and did not finish; `cluster up` makes it anew"
    return "up" if client.is_healthy() else "broken; `cluster up` makes it anew"


def _mode(mode: Mode) -> str:
    return {Mode.WHOLE: "a whole cluster", Mode.CONTROL_PLANE: "a control plane"}[mode]
