"""The revisions that a ModelDeployment remembers: its ControllerRevisions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from kubectl_modelfleet.seen.fields import Object, at, moment, text, whole


@dataclass(frozen=True)
class Remembered:
    """A revision. `number` orders them by when they were last asked for."""

    name: str
    number: int
    version: int | None
    since: datetime | None


def read_history(bodies: Iterable[Object]) -> tuple[Remembered, ...]:
    """The one that was asked for last comes first."""
    found = [
        Remembered(
            name=text(at(body, "metadata", "name")),
            number=whole(at(body, "revision")) or 0,
            version=whole(at(body, "data", "input", "model", "version")),
            since=moment(at(body, "metadata", "creationTimestamp")),
        )
        for body in bodies
    ]
    return tuple(sorted(found, key=lambda item: item.number, reverse=True))
