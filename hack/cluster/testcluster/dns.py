"""The cluster's DNS: CoreDNS in a pod, behind the Service that every pod asks."""

from pathlib import Path
from typing import Any

import yaml

from testcluster.api import Api

IMAGE = "localhost/testcluster/coredns:dev"
_MANIFESTS = Path(__file__).with_name("dns.yaml")
_RESOURCES = {
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


def install(api: Api) -> None:
    """Ask for the DNS; it runs as soon as there is a node for it."""
    for manifest in yaml.safe_load_all(_MANIFESTS.read_text()):
        api.apply(_path(manifest), manifest)


def is_available(api: Api) -> bool:
    """Whether a pod answers questions."""
    found = api.get("/apis/apps/v1/namespaces/kube-system/deployments/coredns")
    return bool(found.get("status", {}).get("availableReplicas"))


def _path(manifest: dict[str, Any]) -> str:
    metadata = manifest["metadata"]
    collection = _RESOURCES[manifest["kind"]].format(namespace=metadata.get("namespace"))
    return f"{collection}/{metadata['name']}"
