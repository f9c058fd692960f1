"""`status`: what a ModelDeployment is at, once, live, or until it is done."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import yaml

from kubectl_modelfleet.cluster.following import Look
from kubectl_modelfleet.cluster.objects import Subject
from kubectl_modelfleet.commands.exit_codes import EXIT_OF, Exit
from kubectl_modelfleet.commands.waiting import ONCE, Patience, Watcher, watched
from kubectl_modelfleet.screen import Screen
from kubectl_modelfleet.seen.deployment import read_deployment
from kubectl_modelfleet.seen.fields import at
from kubectl_modelfleet.seen.pods import read_pods
from kubectl_modelfleet.steering.standing import Standing, standing_of
from kubectl_modelfleet.tree.deployment import tree_of


@dataclass(frozen=True)
class Status:
    """`output` is tree, json or yaml."""

    output: str = "tree"
    follows: bool = False
    patience: Patience = ONCE


async def status(wish: Status, subject: Subject, screen: Screen) -> Exit:
    """Show it, as often as is wished.

    Raises:
        Failed: it cannot be looked at.
    """
    if not wish.follows and not wish.patience.waits:
        body = await subject.body()
        look = body, await subject.pods()
        _show(wish.output, look, standing_of(read_deployment(body)), screen)
        return Exit.DONE
    if not wish.follows:
        return await _wait(wish, subject, screen)

    def show(look: Look, standing: Standing) -> None:
        _show(wish.output, look, standing, screen)

    watcher = Watcher(standing_of, show, with_pods=True, ends=wish.patience.waits)
    if wish.output != "tree":
        standing = await watched(subject, watcher, wish.patience.limit)
    else:
        with screen:
            standing = await watched(subject, watcher, wish.patience.limit)
    return EXIT_OF[standing.outcome] if wish.patience.waits else Exit.DONE


async def _wait(wish: Status, subject: Subject, screen: Screen) -> Exit:
    """Only what is new in words; a document at the end."""
    last: list[Look] = []
    said = [""]

    def tell(look: Look, standing: Standing) -> None:
        last[:] = [look]
        if wish.output == "tree" and said[0] != standing.says:
            said[0] = standing.says
            screen.say(f"{subject.name}: {standing.says}")

    is_document = wish.output != "tree"
    watcher = Watcher(standing_of, tell, with_pods=is_document)
    standing = await watched(subject, watcher, wish.patience.limit)
    if is_document and last:
        _show(wish.output, last[0], standing, screen)
    return EXIT_OF[standing.outcome]


def _show(output: str, look: Look, standing: Standing, screen: Screen) -> None:
    if output == "tree":
        body, pods = look
        seen = None if pods is None else read_pods(pods)
        screen.show(tree_of(read_deployment(body), seen, datetime.now(UTC)))
        return
    found = document(look, standing)
    if output == "json":
        screen.say(json.dumps(found, indent=2))
    else:
        screen.say("---\n" + yaml.safe_dump(found, sort_keys=False).rstrip())


def document(look: Look, standing: Standing) -> dict[str, Any]:
    """What `-o json` and `-o yaml` print. `status` is as the operator has written it."""
    body, pods = look
    deployment = read_deployment(body)
    return {
        "name": deployment.name,
        "namespace": deployment.namespace,
        "outcome": standing.outcome.value,
        "message": standing.says,
        "status": at(body, "status") or {},
        "pods": None
        if pods is None
        else [
            {
                "name": pod.name,
                "revision": pod.revision,
                "state": pod.state,
                "node": pod.node,
                "restarts": pod.restarts,
            }
            for pod in read_pods(pods)
        ],
    }
