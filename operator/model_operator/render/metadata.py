"""Names, labels and owners of the objects that belong to a ModelDeployment."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.spec import Identity


def child_metadata(
    identity: Identity, name: str, revision: str | None = None, arm: str = ""
) -> Manifest:
    """Metadata of a child; Kubernetes deletes it together with the ModelDeployment."""
    return {
        "name": name,
        "namespace": identity.namespace,
        "labels": child_labels(identity.name, revision, arm),
        "ownerReferences": [
            {
                "apiVersion": names.API_VERSION,
                "kind": names.KIND,
                "name": identity.name,
                "uid": identity.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def child_labels(deployment: str, revision: str | None = None, arm: str = "") -> dict[str, str]:
    labels = {
        names.NAME_LABEL: names.SERVER_NAME,
        names.MANAGED_BY_LABEL: names.FIELD_MANAGER,
        names.DEPLOYMENT_LABEL: deployment,
    }
    if arm:
        labels[names.ARM_LABEL] = arm
    return labels if revision is None else labels | {names.REVISION_LABEL: revision}


def pod_selector(deployment: str, revision: str) -> dict[str, str]:
    """The labels that pick the pods of one revision, and no others."""
    return {names.DEPLOYMENT_LABEL: deployment, names.REVISION_LABEL: revision}
