"""How a cluster that is up is spoken to: kubectl, helm, and its administrator's kubeconfig."""

import os
import subprocess
from functools import cached_property
from pathlib import Path
from typing import Any

from testcluster import audit, binaries, credentials, state
from testcluster.api import Api
from testcluster.failures import ClusterError, CommandFailed
from testcluster.folders import ClusterFolder


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

    @cached_property
    def api(self) -> Api:
        """The cluster's own client. Raises ClusterError where there is no cluster."""
        known = state.read(self.folder.state)
        if known is None:
            raise ClusterError(f"there is no cluster {self.name}: `cluster up --name {self.name}`")
        authority = credentials.authority_of(self.folder).certificate
        return Api(known.port, authority, credentials.administrator(self.folder))

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

    def all_nodes_are_ready(self) -> bool:
        """Whether each node says so."""
        found = self.api.get("/api/v1/nodes")["items"]
        return bool(found) and all(_is_ready(node) for node in found)


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
