"""What a pod needs to be a member of a group: whom it asks, and what it shows to them."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest

# The pod's own group: one template is for the members of all groups of a revision.
_GROUP = "MODELFLEET_GROUP"
_FOLDER = "/etc/modelfleet/group"
_TOKEN = "token"


def flags(revision: str, shards: int) -> list[str]:
    """Flags of model-server. It finds its own place by the number at the end of its host's name."""
    members = (f"{host}:{names.GRPC_PORT}" for host in hosts(revision, shards))
    return [f"--shard_members={','.join(members)}", f"--shard_token_file={_FOLDER}/{_TOKEN}"]


def hosts(revision: str, shards: int) -> list[str]:
    """The names of all members' hosts by number, for use where the variable is expanded."""
    service = names.members_name(revision)
    return [f"$({_GROUP})-{member}.{service}" for member in range(shards)]


def environment() -> list[Manifest]:
    """The variable by which the flags tell groups apart."""
    path = f"metadata.labels['{names.GROUP_LABEL}']"
    return [{"name": _GROUP, "valueFrom": {"fieldRef": {"fieldPath": path}}}]


def volume(deployment: str) -> Manifest:
    """The Secret with the group's token."""
    return {"name": "group", "secret": {"secretName": names.token_name(deployment)}}


def mount() -> Manifest:
    """Where the server finds the token."""
    return {"name": "group", "mountPath": _FOLDER, "readOnly": True}


def secret_data(token: str) -> dict[str, str]:
    """What the Secret holds, as `stringData`."""
    return {_TOKEN: token}
