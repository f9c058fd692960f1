"""How this process reaches the API server: by a kubeconfig, else by its pod's account."""

import os

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from model_operator.domain.errors import OperatorError


class NotConnected(OperatorError):
    """There is no way to the API server, or it does not serve what the operator needs."""


async def connect() -> ApiClient:
    """A client for the cluster; the caller closes it.

    Raises:
        NotConnected: neither a kubeconfig nor a service account was found.
    """
    configuration = Configuration()
    try:
        if has_kubeconfig():
            await config.load_kube_config(client_configuration=configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise NotConnected(
            f"no cluster: {error}; set KUBECONFIG, or run in a pod with a service account"
        ) from error
    client = ApiClient(configuration)
    # Audit logs and the API server's own metrics tell clients apart by this.
    client.user_agent = "modelfleet-operator"
    return client


def has_kubeconfig() -> bool:
    """True when the user's own way to a cluster is to be taken, as kubectl would."""
    chosen = os.environ.get("KUBECONFIG") or "~/.kube/config"
    return any(os.path.exists(os.path.expanduser(path)) for path in chosen.split(os.pathsep))
