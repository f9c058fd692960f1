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
# When the operator took the gate of a pod away.
OPENED_ANNOTATION = f"{GROUP}/gate-opened"
# Of the pods of a group: how they stand to each other, as in "Exclusive cloud.google.com/rack".
TOPOLOGY_ANNOTATION = f"{GROUP}/topology"
# Of a group's objects and pods: which of its revision's groups they are.
GROUP_LABEL = f"{GROUP}/group"
# By Kubernetes, on each pod of a StatefulSet: its number.
MEMBER_LABEL = "apps.kubernetes.io/pod-index"
# Of which revision's groups a Service names the members. Not the revision's own label: routers take
# the pods of Services that have that, and this one has those that are not ready, too.
MEMBERS_LABEL = f"{GROUP}/members"
# How many groups a revision should have, on the Service by which their members find each other.
GROUPS_ANNOTATION = f"{GROUP}/groups"

SERVER_CONTAINER = "model-server"
GRPC_PORT = 8500
REST_PORT = 8501

# Names of objects become label values and pod host names: 63 characters (RFC 1123).
LONGEST_NAME = 63
_DIGEST_LENGTH = 10
_KEY_LENGTH = 16
# A StatefulSet's name, a '-' and a hash of ten characters become the value of a label. Of its 52
# characters the digest has ten, the number of the group up to five, and two are '-'.
_LONGEST_STEM = 35


def revision_name(deployment: str, digest: str) -> str:
    """`NAME-DIGEST`, cut to what a label may hold; the digest always stays whole."""
    tail = f"-{digest[:_DIGEST_LENGTH]}"
    return deployment[: LONGEST_NAME - len(tail)].rstrip("-.") + tail


def protection_name(deployment: str) -> str:
    """The name of what guards the pods; unlike the Service's, no user depends on it."""
    return f"{deployment}-{SERVER_NAME}"


def group_name(revision: str, number: int) -> str:
    """The name of one group of a revision; its pods have the number of the member behind it."""
    return f"{_short(revision)}-{number}"


def number_at_end(name: str) -> int:
    """The number of a group or of a member; -1 for a name that has none."""
    number = name.rpartition("-")[2]
    return int(number) if number.isascii() and number.isdecimal() else -1


def members_name(revision: str) -> str:
    """The Service under which the members of a revision's groups have their addresses."""
    return f"{_short(revision)}-members"


def group_key(namespace: str, group: str) -> str:
    """What tells a group from all others in the cluster, as the value of a label."""
    return digest(f"{namespace}/{group}")[:_KEY_LENGTH]


def token_name(deployment: str) -> str:
    """The Secret with the token that members of groups show each other."""
    return f"{deployment}-group-token"


def _short(revision: str) -> str:
    """The name of a revision, cut before its digest, which tells it from all others."""
    stem, _, digest = revision.rpartition("-")
    return f"{stem[:_LONGEST_STEM].rstrip('-.')}-{digest}"


def digest(text: str) -> str:
    """A hexadecimal content digest (SHA-256) of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
