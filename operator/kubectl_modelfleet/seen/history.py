"""The revisions that a ModelDeployment remembers: its ControllerRevisions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kubectl_modelfleet.seen.fields import Object, at, moment, text, whole
from kubectl_modelfleet.seen.names import ARM_LABEL


@dataclass(frozen=True)
class Remembered:
    """A revision of the main model. `number` orders them by when they were last asked for."""

    name: str
    number: int
    version: int | None
    since: datetime | None


def read_history(bodies: Iterable[Object]) -> tuple[Remembered, ...]:
    """The one that was asked for last comes first; those of variants are not among them."""
    found = [
        Remembered(
            name=text(at(body, "metadata", "name")),
            number=whole(at(body, "revision")) or 0,
            version=whole(at(body, "data", "input", "model", "version")),
            since=moment(at(body, "metadata", "creationTimestamp")),
        )
        for body in bodies
        if not at(body, "metadata", "labels", ARM_LABEL)
    ]
    return tuple(sorted(found, key=lambda item: item.number, reverse=True))
