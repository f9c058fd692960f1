"""Which of the users' orders are news, and what they ask for."""

from model_operator.domain import names
from model_operator.domain.manifests import Manifest
from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.commands import Command, argument, handled, revision_named
from model_operator.domain.wish.spec import ModelDeployment
from model_operator.plan.announcements import Announcement
from model_operator.plan.rollout.move import Orders

_ALL_STEPS = 1000


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
