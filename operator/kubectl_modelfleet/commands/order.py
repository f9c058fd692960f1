"""`promote`, `abort`, `retry` and `rollback`: an annotation, and what comes of it."""

from dataclasses import dataclass
from datetime import timedelta

from kubectl_modelfleet.cluster.following import Look
from kubectl_modelfleet.cluster.objects import Subject
from kubectl_modelfleet.commands.exit_codes import EXIT_OF, Exit
from kubectl_modelfleet.commands.waiting import ONCE, Patience, Watcher, complain, watched
from kubectl_modelfleet.screen import Screen
from kubectl_modelfleet.seen.deployment import Deployment, read_deployment
from kubectl_modelfleet.seen.history import read_history
from kubectl_modelfleet.steering import orders
from kubectl_modelfleet.steering.orders import Command, Needless, Order, standing_of_order
from kubectl_modelfleet.steering.rollback import former_target, named_target, target_of_version
from kubectl_modelfleet.steering.standing import Outcome, Standing

# An order right after `kubectl apply` is about what was applied.
_SEEN_WITHIN = timedelta(seconds=10)


@dataclass(frozen=True)
class Steer:
    """`one_step` is for promote, `to` (a revision) and `to_version` for rollback."""

    command: Command
    patience: Patience = ONCE
    one_step: bool = False
    to: str | None = None
    to_version: int | None = None


async def steer(wish: Steer, subject: Subject, screen: Screen) -> Exit:
    """Give the order, and wait for its end if that is wished.

    Raises:
        Refused: it would do nothing.
        Failed: the API server does not take it.
    """
    deployment = await _seen_by_the_operator(subject)
    order = await _decided(wish, deployment, subject)
    if isinstance(order, Needless):
        screen.say(f"{subject.name}: {order.says}")
        return Exit.DONE
    was_given = order.is_given(deployment)
    if not was_given:
        await subject.annotate(**{order.command.value: order.text})
    past = f", past step {order.past_step}" if order.past_step else ""
    how = "is ordered already" if was_given else "ordered"
    screen.say(f"{subject.name}: {order.command} of {order.revision}{past} {how}")
    for note in _notes(order, deployment):
        complain(note)
    return await _carried_out(order, wish.patience, subject, screen)


async def _seen_by_the_operator(subject: Subject) -> Deployment:
    """The object once its status speaks of the newest spec; without an operator, as it is."""
    found: list[Deployment] = []

    def standing(deployment: Deployment) -> Standing:
        found[:] = [deployment]
        outcome = Outcome.DONE if deployment.is_current else Outcome.UNDER_WAY
        return Standing(outcome, "the operator has not seen the newest spec; does it run?")

    await watched(subject, Watcher(standing, lambda look, _: None), _SEEN_WITHIN)
    return found[0] if found else read_deployment(await subject.body())


async def _decided(wish: Steer, deployment: Deployment, subject: Subject) -> Order | Needless:
    match wish.command:
        case Command.PROMOTE:
            return orders.promote(deployment, wish.one_step)
        case Command.ABORT:
            return orders.abort(deployment)
        case Command.RETRY:
            return orders.retry(deployment)
    history = read_history(await subject.revisions())
    if wish.to is not None:
        target = named_target(history, wish.to)
    elif wish.to_version is not None:
        target = target_of_version(history, wish.to_version)
    else:
        target = former_target(deployment, history)
    return orders.rollback(deployment, target)


def _notes(order: Order, deployment: Deployment) -> list[str]:
    found = []
    if deployment.wishes.is_suspended:
        found.append("spec.suspend is true: it is carried out when that is false")
    if deployment.wishes.is_paused and order.command is Command.PROMOTE:
        found.append("spec.rollout.paused is true: no weight rises until that is false")
    if order.command is Command.ROLLBACK:
        found.append("it holds until spec asks for another revision; revert that in Git, too")
    return found


async def _carried_out(order: Order, patience: Patience, subject: Subject, screen: Screen) -> Exit:
    if not patience.waits:
        return Exit.DONE
    said = [""]

    def tell(look: Look, standing: Standing) -> None:
        if standing.says != said[0]:
            said[0] = standing.says
            screen.say(f"{subject.name}: {standing.says}")

    def standing(deployment: Deployment) -> Standing:
        return standing_of_order(order, deployment)

    return EXIT_OF[(await watched(subject, Watcher(standing, tell), patience.limit)).outcome]
