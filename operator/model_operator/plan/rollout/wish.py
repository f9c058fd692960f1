"""The revision that is to serve: what the spec asks for, or what a user rolls back to."""

from dataclasses import dataclass, replace

from model_operator.domain.manifests import Manifest
from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.commands import Command, handled, revision_named
from model_operator.domain.wish.revision import Revision, find, name_for, user_input
from model_operator.domain.wish.spec import ModelDeployment
from model_operator.render.pod import pod_template


@dataclass(frozen=True)
class Wish:
    """The revision that is to serve. `instead_of` is what the spec asks for in a rollback."""

    revision: Revision
    instead_of: str | None = None

    @property
    def is_rollback(self) -> bool:
        return self.instead_of is not None

    def part(self) -> Manifest | None:
        """What the status remembers of a rollback."""
        if self.instead_of is None:
            return None
        return {"to": self.revision.name, "instead": self.instead_of}


def wish_of(deployment: ModelDeployment, observed: Observed, default_image: str) -> Wish:
    """The revision of the spec, or the one that a user rolls back to."""
    asked = wanted_revision(deployment, observed, default_image)
    earlier = _rolled_back(deployment, observed, asked)
    return Wish(newest(earlier, observed), asked.name) if earlier else Wish(asked)


def _rolled_back(
    deployment: ModelDeployment, observed: Observed, asked: Revision
) -> Revision | None:
    """The earlier revision to serve instead of what the spec asks for, if a user orders that.

    The order holds while the spec asks for the same revision as when it was given.
    """
    text = deployment.commands.get(Command.ROLLBACK, "")
    named = revision_named(text)
    target = next((item for item in observed.revisions() if item.name == named), None)
    if target is None or target.name == asked.name:
        return None
    since = observed.status.get("rollback") or {}
    if handled(observed.status).get(Command.ROLLBACK.value) != text:
        return target
    is_kept = since.get("to") == target.name and since.get("instead") == asked.name
    return target if is_kept else None


def wanted_revision(
    deployment: ModelDeployment, observed: Observed, default_image: str
) -> Revision:
    """The revision the spec asks for, as remembered, or a new one; always the latest by number."""
    revisions = observed.revisions()
    latest = max((revision.number for revision in revisions), default=0)
    asked = user_input(deployment)
    if known := find(revisions, asked):
        return newest(known, observed)
    taken = {revision.name for revision in revisions}
    name = name_for(deployment.identity.name, asked, taken)
    return Revision(name, latest + 1, asked, pod_template(deployment, name, default_image))


def newest(known: Revision, observed: Observed) -> Revision:
    """The same revision as the one that was last asked for."""
    latest = max((revision.number for revision in observed.revisions()), default=0)
    number = known.number if known.number == latest else latest + 1
    return replace(known, number=number)
