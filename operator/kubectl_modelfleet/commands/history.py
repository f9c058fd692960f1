"""`history`: the revisions that may be rolled back to."""

from dataclasses import dataclass
from datetime import UTC, datetime

from kubectl_modelfleet.cluster.objects import Subject
from kubectl_modelfleet.commands.exit_codes import Exit
from kubectl_modelfleet.screen import Screen
from kubectl_modelfleet.seen.deployment import read_deployment
from kubectl_modelfleet.seen.history import read_history
from kubectl_modelfleet.tree.history import COLUMNS, aligned, rows_of


@dataclass(frozen=True)
class History:
    """Needs no more than the name."""


async def history(subject: Subject, screen: Screen) -> Exit:
    """Print the table.

    Raises:
        Failed: the object or its revisions cannot be looked at.
    """
    deployment = read_deployment(await subject.body())
    rows = rows_of(deployment, read_history(await subject.revisions()), datetime.now(UTC))
    if rows:
        screen.say("\n".join(aligned([COLUMNS, *rows])))
    else:
        screen.say(f"{subject.name} has no revisions yet")
    return Exit.DONE
