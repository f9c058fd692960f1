"""The names and ports that the router of a namespace goes by."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest

ROUTER_NAME = "modelfleet-router"
ROUTER_APP = "model-router"
SELECTOR = {names.NAME_LABEL: ROUTER_APP, names.MANAGED_BY_LABEL: names.FIELD_MANAGER}

# Where routers listen for models; each ModelDeployment of a namespace has two of these.
FIRST_PORT, LAST_PORT = 20000, 29999
HEALTH_PORT = 8080


def is_router(labels: dict[str, str]) -> bool:
    """Whether an object with these labels belongs to a router."""
    return SELECTOR.items() <= labels.items()


def leads_to_router(service: Manifest) -> bool:
    """Whether what is sent to a Service reaches a router first."""
    return is_router(service["spec"].get("selector") or {})
