"""The Deployment that runs the pods of one revision."""

from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.revision import Revision
from model_operator.domain.wish.spec import Identity
from model_operator.render.metadata import child_metadata, pod_selector


def workload(identity: Identity, revision: Revision, replicas: int) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": child_metadata(identity, revision.name, revision.name, revision.arm),
        "spec": {
            "replicas": replicas,
            # A revision's template never changes; only a mended foreign edit replaces pods.
            "revisionHistoryLimit": 1,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
            },
            "selector": {"matchLabels": pod_selector(identity.name, revision.name)},
            "template": revision.template,
        },
    }
