"""How a cluster that is up is spoken to: kubectl, helm, and its administrator's kubeconfig."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testcluster import accelerators, audit, binaries, credentials, state, teardown
from testcluster.api import Api
from testcluster.failures import ClusterError, CommandFailed
from testcluster.folders import ClusterFolder, one_at_a_time
from testcluster.processes import Placement
from testcluster.progress import Progress
from testcluster.state import Mode, State


class Client:
    """The ways into one cluster."""

    def __init__(self, folder: ClusterFolder) -> None:
        self.folder = folder

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, good for any client on this machine."""
        return self.folder.kubeconfig

    @property
    def state(self) -> State:
        """What it is made of. Raises ClusterError where there is no cluster."""
        known = state.read(self.folder.state)
        if known is None:
            raise ClusterError(f"there is no cluster {self.name}: `cluster up --name {self.name}`")
        return known

    @property
    def api(self) -> Api:
        """The test cluster's own client."""
        authority = credentials.authority_of(self.folder).certificate
        return Api(self.state.port, authority, credentials.administrator(self.folder))

    def is_healthy(self) -> bool:
        """Whether it came up whole, and all its processes run and answer."""
        return self.state.complete and not self.ended() and self.api.is_ready()

    def ended(self) -> list[str]:
        """The names of the processes that should run and do not."""
        return teardown.processes_of(self.folder, Placement()).ended()

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises CommandFailed, with its error output, when it fails."""
        command = [str(binaries.location("kubectl")), *words]
        ended = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment(),
            check=False,
        )
        if ended.returncode != 0:
            raise CommandFailed(["kubectl", *words], ended.returncode, ended.stderr)
        return ended.stdout

    def environment(self) -> dict[str, str]:
        """The environment in which kubectl and helm find this cluster and leave no files behind."""
        cache = str(self.folder.path / "kubectl-cache")
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": cache}

    def writes(self) -> list[audit.Write]:
        """Every write that the API server was asked for, by whom, oldest first."""
        return audit.writes(self.folder.audit_log)

    def has_service_accounts(self) -> bool:
        """Whether pods can be made in the namespace default: the controllers have begun."""
        try:
            self.api.get("/api/v1/namespaces/default/serviceaccounts/default")
        except ClusterError:
            return False
        return True

    def ready_nodes(self) -> list[str]:
        """The names of the nodes that say they are."""
        found = self.api.get("/api/v1/nodes")["items"]
        return [node["metadata"]["name"] for node in found if _is_ready(node)]

    def accelerate(self, node: str, counts: Mapping[str, int], tainted: bool = False) -> None:
        """Give a node accelerators that are not there, with their vendors' labels.

        Raises:
            ClusterError: there is no such node.
        """
        path = f"/api/v1/nodes/{node}"
        self.api.merge(path, accelerators.node_patch(counts, tainted))
        room = accelerators.capacity(counts)
        self.api.merge(f"{path}/status", {"status": {"capacity": room, "allocatable": room}})

    def down(self) -> None:
        """Remove the cluster, or what is left of one; nothing happens where there is none."""
        with one_at_a_time():
            teardown.remove(self.folder)


def begun_well(client: Client, mode: Mode, progress: Progress) -> State | None:
    """What is there of a cluster in good health; None where there is none, or no more.

    What was interrupted or lost a process is removed, to be made anew.

    Raises:
        ClusterError: the name belongs to a cluster of the other mode.
    """
    known = state.read(client.folder.state)
    if known is not None and known.mode is not mode:
        raise ClusterError(f"{client.name} is a {known.mode} cluster: take another --name")
    if known is not None and client.is_healthy():
        return known
    if client.folder.path.exists():
        with progress.stage(f"Remove what is left of {client.name}"):
            teardown.remove(client.folder)
    return None


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
