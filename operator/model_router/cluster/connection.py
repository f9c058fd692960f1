"""How this process reaches the API server: by a kubeconfig, else by its pod's account."""

from __future__ import annotations

import os

from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from model_router.cluster.errors import NotConnected


async def connect() -> ApiClient:
    """A client for the cluster, which the caller closes; raises NotConnected."""
    configuration = Configuration()
    try:
        if os.environ.get("KUBECONFIG"):
            await config.load_kube_config(client_configuration=configuration)
        else:
            config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise NotConnected(
            f"no cluster: {error}; set KUBECONFIG, or run in a pod with a service account"
        ) from error
    client = ApiClient(configuration)
    # Audit logs and the API server's own metrics tell clients apart by this.
    client.user_agent = "modelfleet-router"
    return client
