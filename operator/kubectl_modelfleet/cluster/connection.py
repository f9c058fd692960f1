"""Which API server and namespace: by a kubeconfig as kubectl finds it, or by a pod's account."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from kubectl_modelfleet.cluster.errors import Failed

_USUAL = "~/.kube/config"
_HINT = "set --kubeconfig or KUBECONFIG, or look at kubectl config get-contexts"
_OF_THE_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Chosen:
    """What the user said; None leaves the choice to the kubeconfig."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None


@dataclass(frozen=True)
class Access:
    """A client, and the namespace that it is about. `renew` logs in anew where tokens run out."""

    api: ApiClient
    namespace: str
    renew: Callable[[], Awaitable[object]]


@asynccontextmanager
async def connected(chosen: Chosen) -> AsyncIterator[Access]:
    """A way to the API server, for as long as the context lasts.

    Raises:
        Failed: no usable kubeconfig and no service account.
    """
    configuration = Configuration()
    usual = await _configured(chosen, configuration) or "default"
    async with ApiClient(configuration) as client:
        # Audit logs tell clients apart by this.
        client.user_agent = "kubectl-modelfleet"
        # The client reads its configuration for each request.
        yield Access(client, chosen.namespace or usual, partial(_configured, chosen, configuration))


async def _configured(chosen: Chosen, configuration: Configuration) -> str | None:
    """Fill in the configuration; the namespace that goes with it, if any."""
    files = chosen.kubeconfig or os.environ.get("KUBECONFIG") or _USUAL
    try:
        if not _is_any_there(files):
            if chosen.kubeconfig or chosen.context or not _OF_THE_POD.exists():
                raise Failed(f"no cluster: there is no {files}", _HINT)
            config.load_incluster_config(client_configuration=configuration)
            return _OF_THE_POD.read_text().strip()
        loader = await config.load_kube_config(
            config_file=files,
            context=chosen.context,
            client_configuration=configuration,
            persist_config=False,
        )
    except config.ConfigException as error:
        raise Failed(f"no cluster: {error}", _HINT) from error
    # A file that is no kubeconfig fails anywhere in the library that reads it.
    except (OSError, yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise Failed(f"{files} cannot be read as a kubeconfig: {error}") from error
    context: dict[str, Any] = loader.current_context["context"]
    return context.get("namespace")


def _is_any_there(files: str) -> bool:
    return any(os.path.exists(os.path.expanduser(file)) for file in files.split(os.pathsep) if file)
