"""Which of the users' orders are news, and what they ask for."""

from dataclasses import dataclass

from model_operator.domain import names
from model_operator.domain.commands import Command, argument, handled, revision_named
from model_operator.domain.manifests import Manifest
from model_operator.domain.observed import Observed
from model_operator.domain.revision import Revision
from model_operator.domain.spec import ModelDeployment
from model_operator.plan.announcements import Announcement
from model_operator.plan.desired import newest, wanted_revision
from model_operator.plan.rollout import Orders

_ALL_STEPS = 1000


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


def orders_for(deployment: ModelDeployment, status: Manifest, candidate: str) -> Orders:
    """What is ordered about this candidate; each order works once, until its text changes."""
    before = handled(status)
    news = {
        command: text
        for command, text in deployment.commands.items()
        if before.get(command.value) != text and revision_named(text) == candidate
    }
    promotes = news.get(Command.PROMOTE)
    return Orders(
        aborts=Command.ABORT in news,
        retries=Command.RETRY in news,
        promotes_past=_steps(argument(promotes)) if promotes else 0,
    )


def _steps(text: str) -> int:
    """The number behind the revision; without one, all steps. What is no number promotes none."""
    if not text:
        return _ALL_STEPS
    return min(int(text), _ALL_STEPS) if text.isdecimal() else 0


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
    text = deployment.commands.get(Command.ROLLBACK)
    target = next((item for item in observed.revisions() if item.name == text), None)
    if target is None or target.name == asked.name:
        return None
    since = observed.status.get("rollback") or {}
    if handled(observed.status).get(Command.ROLLBACK.value) != text:
        return target
    is_kept = since.get("to") == target.name and since.get("instead") == asked.name
    return target if is_kept else None


def announced_orders(deployment: ModelDeployment, observed: Observed) -> tuple[Announcement, ...]:
    """A word to those whose order names no revision that there is."""
    known, before = {item.name for item in observed.revisions()}, handled(observed.status)
    return tuple(
        Announcement(
            "CommandIgnored", f"{names.GROUP}/{command.value}: {text} is no revision", True
        )
        for command, text in deployment.commands.items()
        if before.get(command.value) != text and revision_named(text) not in known
    )
