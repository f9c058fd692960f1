"""Who is who in a cluster: the certificates and kubeconfigs of its administrator and programs."""

from dataclasses import dataclass
from pathlib import Path

from testcluster import kubeconfig
from testcluster.addresses import API_SERVICE, CLUSTER_DOMAIN
from testcluster.certificates import Authority, Holder, KeyPair, signing_key
from testcluster.commands import Credentials, Listening
from testcluster.folders import ClusterFolder

ADMINISTRATORS = "system:masters"
_FOLDER = "certificates"


@dataclass(frozen=True)
class Identities:
    """What the programs of a control plane start with."""

    credentials: Credentials
    controller_manager: Path
    scheduler: Path


def authority_of(folder: ClusterFolder) -> Authority:
    """The authority that all in the cluster believe."""
    return Authority(folder.inside(_FOLDER))


def administrator(folder: ClusterFolder) -> KeyPair:
    """The certificate of the one who may do anything."""
    files = folder.inside(_FOLDER)
    return KeyPair(files / "admin.crt", files / "admin.key")


def identities(folder: ClusterFolder, at: Listening, port: int) -> Identities:
    """Make all of a control plane; `port` is where this machine's clients find it on loopback."""
    authority = authority_of(folder)
    serving = authority.issue("kube-apiserver", _api_server(at.address))
    admin = authority.issue("admin", Holder("testcluster-admin", ADMINISTRATORS))
    kubelet_client = authority.issue("kubelet-client", Holder("kube-apiserver", ADMINISTRATORS))
    here = f"https://127.0.0.1:{port}"
    kubeconfig.write(folder.kubeconfig, here, authority.certificate, admin)
    signing = signing_key(folder.inside(_FOLDER))
    return Identities(
        Credentials(authority.certificate, serving, kubelet_client, signing),
        login(folder, at.server, "controller-manager", Holder("system:kube-controller-manager")),
        login(folder, at.server, "scheduler", Holder("system:kube-scheduler")),
    )


def login(folder: ClusterFolder, server: str, name: str, holder: Holder) -> Path:
    """A kubeconfig for one of the cluster's programs, seen from where the programs run."""
    authority = authority_of(folder)
    pair = authority.issue(name, holder)
    file = folder.inside(_FOLDER) / f"{name}.kubeconfig"
    return kubeconfig.write(file, server, authority.certificate, pair)


def _api_server(address: str) -> Holder:
    service = "kubernetes.default.svc"
    return Holder(
        "kube-apiserver",
        addresses=tuple(dict.fromkeys(("127.0.0.1", address, API_SERVICE))),
        hosts=(
            *("localhost", "kubernetes", "kubernetes.default"),
            *(service, f"{service}.{CLUSTER_DOMAIN}"),
        ),
    )
