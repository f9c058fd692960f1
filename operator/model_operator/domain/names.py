"""Every name and label that Kubernetes sees from this operator."""

import hashlib

GROUP = "modelfleet.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"

FIELD_MANAGER = "modelfleet"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY_SELECTOR = f"{MANAGED_BY_LABEL}={FIELD_MANAGER}"
NAME_LABEL = "app.kubernetes.io/name"
SERVER_NAME = "model-server"
DEPLOYMENT_LABEL = f"{GROUP}/deployment"
REVISION_LABEL = f"{GROUP}/revision"
# Of what belongs to a variant or to the shadow; the main model's objects have none.
ARM_LABEL = f"{GROUP}/arm"
# Of a pod of a group: the same for all its members, and for no other pod in the cluster.
GROUP_KEY_LABEL = f"{GROUP}/group-key"
# Pods of a group that asks for accelerators wait at this gate until all of them fit at once.
GANG_GATE = f"{GROUP}/gang"
# When the operator took the gate away.
RELEASED_ANNOTATION = f"{GROUP}/released"

SERVER_CONTAINER = "model-server"
GRPC_PORT = 8500
REST_PORT = 8501

# Names of objects become label values and pod host names: 63 characters (RFC 1123).
LONGEST_NAME = 63
_DIGEST_LENGTH = 10


def revision_name(deployment: str, digest: str) -> str:
    """`NAME-DIGEST`, cut to what a label may hold; the digest always stays whole."""
    tail = f"-{digest[:_DIGEST_LENGTH]}"
    return deployment[: LONGEST_NAME - len(tail)].rstrip("-.") + tail


def protection_name(deployment: str) -> str:
    """The name of what guards the pods; unlike the Service's, no user depends on it."""
    return f"{deployment}-{SERVER_NAME}"


def digest(text: str) -> str:
    """A hexadecimal content digest (SHA-256) of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
