"""The command lines of the control plane's programs."""

from dataclasses import dataclass
from pathlib import Path

from testcluster.addresses import POD_RANGE, SERVICE_RANGE
from testcluster.certificates import KeyPair


@dataclass(frozen=True)
class Listening:
    """Where a control plane listens: the API server's address and port, etcd's two ports."""

    address: str
    port: int
    etcd: int
    etcd_peers: int

    @property
    def server(self) -> str:
        """The API server's URL, seen from where the control plane runs."""
        return f"https://{self.address}:{self.port}"


@dataclass(frozen=True)
class Credentials:
    """The files by which a control plane's programs know each other."""

    authority: Path
    serving: KeyPair
    kubelet_client: KeyPair
    signing_key: Path


def etcd(program: Path, folder: Path, at: Listening) -> list[str]:
    """etcd without waiting for the disk: nothing in it is meant to outlive the machine's power."""
    clients = f"http://127.0.0.1:{at.etcd}"
    peers = f"http://127.0.0.1:{at.etcd_peers}"
    return [
        str(program),
        f"--data-dir={folder}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        "--log-level=warn",
    ]


@dataclass(frozen=True)
class Audit:
    """Which requests the API server writes down, and where."""

    policy: Path
    log: Path


def api_server(program: Path, at: Listening, credentials: Credentials, audit: Audit) -> list[str]:
    """The API server; the rest of its flags are `for_kubelets` or `on_loopback`."""
    return [
        str(program),
        f"--bind-address={at.address}",
        f"--advertise-address={at.address}",
        f"--secure-port={at.port}",
        f"--etcd-servers=http://127.0.0.1:{at.etcd}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged=true",
        f"--client-ca-file={credentials.authority}",
        f"--tls-cert-file={credentials.serving.certificate}",
        f"--tls-private-key-file={credentials.serving.key}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={credentials.signing_key}",
        f"--service-account-signing-key-file={credentials.signing_key}",
        f"--audit-policy-file={audit.policy}",
        f"--audit-log-path={audit.log}",
        "--audit-log-maxbackup=1",
        "--audit-log-maxsize=200",
        "--profiling=false",
    ]


def for_kubelets(credentials: Credentials) -> list[str]:
    """What an API server needs to speak to kubelets: exec, logs and port-forward go this way."""
    return [
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-certificate-authority={credentials.authority}",
        f"--kubelet-client-certificate={credentials.kubelet_client.certificate}",
        f"--kubelet-client-key={credentials.kubelet_client.key}",
        # The names of the nodes are in no DNS.
        "--kubelet-preferred-address-types=InternalIP",
    ]


def on_loopback(with_controllers: bool) -> list[str]:
    """What an API server needs where no pod can reach it."""
    # A Service's endpoint may not be a loopback address, so none is kept.
    flags = ["--endpoint-reconciler-type=none"]
    if not with_controllers:
        # Without controllers no service account is ever made, and pods would be refused.
        flags.append("--disable-admission-plugins=ServiceAccount")
    return flags


@dataclass(frozen=True)
class Controllers:
    """How the controller manager and the scheduler listen and who they are."""

    kubeconfig: Path
    port: int


def controller_manager(
    program: Path, controllers: Controllers, credentials: Credentials
) -> list[str]:
    """The controller manager. Pod ranges are given to the nodes by the cluster itself."""
    return [
        str(program),
        *_controller_flags(controllers),
        "--use-service-account-credentials",
        f"--service-account-private-key-file={credentials.signing_key}",
        f"--root-ca-file={credentials.authority}",
        # It starts some thirty controllers one after the other, each with requests.
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--allocate-node-cidrs=false",
        f"--cluster-cidr={POD_RANGE}",
    ]


def scheduler(program: Path, controllers: Controllers) -> list[str]:
    """The scheduler."""
    return [str(program), *_controller_flags(controllers)]


def _controller_flags(controllers: Controllers) -> list[str]:
    kubeconfig = controllers.kubeconfig
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={controllers.port}",
        # There is only one of each: a lease would only be written, and waited for.
        "--leader-elect=false",
        "--profiling=false",
    ]


def kwok(program: Path, kubeconfig: Path, stages: Path, port: int) -> list[str]:
    """kwok: it answers for nodes without a kubelet, and for the pods on them."""
    return [
        str(program),
        f"--kubeconfig={kubeconfig}",
        f"--config={stages}",
        "--manage-all-nodes=false",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--server-address=127.0.0.1:{port}",
        "--node-ip=127.0.0.1",
        f"--cidr={POD_RANGE}",
        "--node-lease-duration-seconds=40",
    ]
