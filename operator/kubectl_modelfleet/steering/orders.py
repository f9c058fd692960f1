"""Orders by annotation: which text the operator takes for news, and when one is carried out.

Each names a revision, so that one that comes too late does nothing. The operator acts on a text
that differs from the one it dealt with last (`status.commands`).
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kubectl_modelfleet.seen.deployment import Candidate, Deployment
from kubectl_modelfleet.steering.errors import Refused
from kubectl_modelfleet.steering.standing import Outcome, Standing, standing_of

# What promotes past so many steps promotes past all.
_ALL_STEPS = 1000


class Command(StrEnum):
    PROMOTE = "promote"
    ABORT = "abort"
    RETRY = "retry"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Order:
    """`text` is the annotation's; `past_step` is None for a promotion past all steps."""

    command: Command
    revision: str
    text: str
    past_step: int | None = None

    def is_given(self, deployment: Deployment) -> bool:
        """True when the annotation is there already, and the operator has yet to act on it."""
        return deployment.wishes.orders.get(self.command.value) == self.text


@dataclass(frozen=True)
class Needless:
    """What was asked for is so already."""

    says: str


def promote(deployment: Deployment, one_step: bool) -> Order:
    """Past the rest of the candidate's steps, or past the present one alone.

    Raises:
        Refused: there is no candidate, or none that a promotion would help.
    """
    candidate = _candidate_with_steps(deployment, "promote")
    if candidate.is_aborted:
        says = f"{candidate.revision} was aborted, and nothing promotes it"
        raise Refused(says, f"kubectl modelfleet retry {deployment.name}")
    if one_step and candidate.step is None:
        raise Refused(f"the status does not say which step {candidate.revision} is at")
    past = candidate.step if one_step else None
    name = candidate.revision
    if past is None:
        texts = itertools.chain([name], (f"{name}/{n}" for n in itertools.count(_ALL_STEPS)))
    else:
        texts = itertools.chain([f"{name}/{past}"], (f"{name}/{past:0{n}}" for n in range(2, 9)))
    return Order(Command.PROMOTE, name, _news(deployment, Command.PROMOTE, texts), past)


def abort(deployment: Deployment) -> Order | Needless:
    """Back to the stable revision.

    Raises:
        Refused: there is no candidate that takes steps.
    """
    candidate = _candidate_with_steps(deployment, "abort")
    if candidate.is_aborted:
        return Needless(f"{candidate.revision} is aborted already: {candidate.abort}")
    return _order(deployment, Command.ABORT, candidate.revision)


def retry(deployment: Deployment) -> Order:
    """The steps of an aborted candidate anew.

    Raises:
        Refused: no candidate was aborted.
    """
    candidate = _candidate_with_steps(deployment, "retry")
    if not candidate.is_aborted:
        raise Refused(f"{candidate.revision} was not aborted; next: {deployment.next}")
    return _order(deployment, Command.RETRY, candidate.revision)


def rollback(deployment: Deployment, target: str) -> Order | Needless:
    """Serve an earlier revision until the spec asks for another one."""
    is_there = deployment.stable == target and deployment.candidate is None
    if is_there and (deployment.rollback is None or deployment.rollback.to == target):
        return Needless(f"{target} serves already")
    return _order(deployment, Command.ROLLBACK, target)


def standing_of_order(order: Order, deployment: Deployment) -> Standing:
    """Whether the order is carried out."""
    if deployment.handled.get(order.command.value) != order.text:
        if not order.is_given(deployment):
            return Standing(Outcome.STALLED, "the annotation has been changed by somebody else")
        return Standing(Outcome.UNDER_WAY, "the operator has not dealt with the order yet")
    match order.command:
        case Command.ABORT:
            return _back_to_stable(order, deployment)
        case Command.RETRY:
            return _begun_anew(order, deployment)
        case _:
            return _serves(order, deployment)


def _order(deployment: Deployment, command: Command, revision: str) -> Order:
    texts = itertools.chain([revision], (f"{revision}/{n}" for n in itertools.count(2)))
    return Order(command, revision, _news(deployment, command, texts))


def _news(deployment: Deployment, command: Command, texts: Iterable[str]) -> str:
    handled = deployment.handled.get(command.value)
    return next(text for text in texts if text != handled)


def _candidate_with_steps(deployment: Deployment, verb: str) -> Candidate:
    candidate = deployment.candidate
    if candidate is None:
        said = standing_of(deployment).says
        hint = f"kubectl modelfleet history {deployment.name}"
        raise Refused(f"there is no candidate to {verb}; {said}", hint)
    if candidate.takes_steps:
        return candidate
    says = f"the change to {candidate.revision} takes no steps of weight, so {verb} does nothing"
    if deployment.revision(candidate.revision).is_aborted:
        raise Refused(says, "change spec, or raise spec.rollout.progressDeadlineSeconds")
    if verb == "abort" and deployment.stable:
        back = f"kubectl modelfleet rollback {deployment.name} --to {deployment.stable}"
        raise Refused(says, back)
    raise Refused(says, f"kubectl modelfleet status {deployment.name}")


def _serves(order: Order, deployment: Deployment) -> Standing:
    """For promotions and rollbacks: all requests go there, or it is past that step."""
    candidate = deployment.candidate
    if deployment.stable == order.revision:
        if candidate is None:
            return standing_of(deployment)
        return Standing(Outcome.DONE, f"it serves; {candidate.revision} comes next")
    if candidate is None or candidate.revision != order.revision:
        return _superseded(order)
    if order.past_step is not None and (candidate.step or 0) > order.past_step:
        return Standing(Outcome.DONE, f"at step {candidate.step}; next: {deployment.next}")
    return standing_of(deployment)


def _back_to_stable(order: Order, deployment: Deployment) -> Standing:
    candidate = deployment.candidate
    if candidate is None or candidate.revision != order.revision:
        return _superseded(order)
    if not candidate.is_aborted:
        return Standing(Outcome.UNDER_WAY, deployment.next)
    others = [
        share.programmed
        for name, share in deployment.shares.items()
        if name == order.revision and share.programmed
    ]
    if others:
        return Standing(Outcome.UNDER_WAY, f"routers still send it {others[0]:g} %")
    return Standing(Outcome.DONE, f"all requests go to {deployment.stable}")


def _begun_anew(order: Order, deployment: Deployment) -> Standing:
    candidate = deployment.candidate
    if candidate is None or candidate.revision != order.revision:
        if deployment.stable == order.revision:
            return Standing(Outcome.DONE, f"{order.revision} serves")
        return _superseded(order)
    if candidate.is_aborted:
        return Standing(Outcome.UNDER_WAY, deployment.next)
    return Standing(Outcome.DONE, f"begun anew; next: {deployment.next}")


def _superseded(order: Order) -> Standing:
    return Standing(Outcome.STALLED, f"{order.revision} is no candidate any more")
