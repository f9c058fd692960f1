"""The configuration files of a node: containerd's, CNI's and the kubelet's."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from testcluster.addresses import CLUSTER_DOMAIN, DNS_SERVICE, Node, prefix
from testcluster.certificates import KeyPair

CNI_PLUGINS = Path("/usr/lib/cni")
# Where containerd answers, seen from its node; the kubelet's metrics know no other place.
SOCKET = Path("/run/containerd/containerd.sock")
POD_IMAGE = "localhost/testcluster/pod:dev"

_CONTAINERD = """
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = "{socket}"

[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/containerd-opt"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pod_image}"
  stream_server_address = "127.0.0.1"
  netns_mounts_under_state_dir = true
  # Pods that are not root may listen on port 80, as they may on most clusters.
  enable_unprivileged_ports = true
  # Without CAP_SYS_RESOURCE runc cannot lower a score, and no pod would start.
  restrict_oom_score_adj = true
  # Its profile would stay in the machine's kernel when the cluster is gone.
  disable_apparmor = true

[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{plugins}"
  conf_dir = "{folder}/cni"

[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  Root = "{folder}/runc"
"""


@dataclass(frozen=True)
class NodeFiles:
    """The folder of a node within its cluster's."""

    folder: Path

    @property
    def socket(self) -> Path:
        """Where containerd answers, seen from the machine."""
        return self.behind(SOCKET.parent) / SOCKET.name

    @property
    def containerd(self) -> Path:
        return self.folder / "containerd.toml"

    @property
    def kubelet(self) -> Path:
        return self.folder / "kubelet.yaml"

    def behind(self, path: Path) -> Path:
        """The folder that the node has behind a path of the machine."""
        return self.inside(str(path).strip("/").replace("/", "-"))

    def inside(self, name: str) -> Path:
        """A folder in this one, made if it is not there."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def write(files: NodeFiles, node: Node, authority: Path, serving: KeyPair) -> None:
    """Write all configuration of a node."""
    settings = {"folder": files.folder, "socket": SOCKET, "plugins": CNI_PLUGINS}
    files.containerd.write_text(_CONTAINERD.format(**settings, pod_image=POD_IMAGE))
    network = json.dumps(_pod_network(node, files.inside("pod-addresses")))
    (files.inside("cni") / "10-pods.conflist").write_text(network)
    files.kubelet.write_text(yaml.safe_dump(_kubelet(files, node, authority, serving)))


def _pod_network(node: Node, addresses: Path) -> dict[str, Any]:
    """Each pod has a link of its own to the node.

    On a bridge, answers between two pods of a node would pass by the rules that rewrite Service
    addresses, unless the machine's kernel has br_netfilter.
    """
    given = {
        "type": "host-local",
        "dataDir": str(addresses),
        "ranges": [[{"subnet": node.pod_range}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "mtu": 1500, "ipam": given},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def _kubelet(files: NodeFiles, node: Node, authority: Path, serving: KeyPair) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "podLogsDir": str(files.inside("pod-logs")),
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": CLUSTER_DOMAIN,
        # Pods get the cluster's DNS alone, never the machine's.
        "resolvConf": "",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(authority)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{prefix(node.cluster)}/{node.name}",
        "failCgroupV1": False,
        "failSwapOn": False,
        # The machine's disk is its owner's business: no pod is evicted and no image collected
        # before it is really full.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageMinimumGCAge": "24h",
        "maxPods": 200,
        "nodeStatusUpdateFrequency": "5s",
        "healthzBindAddress": "127.0.0.1",
        "registerNode": True,
    }
