"""The ControllerRevision that remembers a revision: what was asked, and the pods made of it."""

from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.revision import Revision
from model_operator.domain.wish.spec import Identity
from model_operator.render.metadata import child_metadata


def record(identity: Identity, revision: Revision) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": child_metadata(identity, revision.name, revision.name, revision.arm),
        "revision": revision.number,
        "data": {"input": revision.input, "template": revision.template},
    }
