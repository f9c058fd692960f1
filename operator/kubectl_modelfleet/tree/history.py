"""The table of a ModelDeployment's revisions."""

from collections.abc import Sequence
from datetime import datetime

from kubectl_modelfleet.seen.deployment import Deployment
from kubectl_modelfleet.seen.history import Remembered
from kubectl_modelfleet.tree.words import age, span

COLUMNS = ("REVISION", "VERSION", "STATE", "READY", "AGE")


def rows_of(
    deployment: Deployment, history: Sequence[Remembered], now: datetime
) -> list[tuple[str, ...]]:
    """A row for each revision, the one that was asked for last first."""
    return [
        (
            item.name,
            "?" if item.version is None else str(item.version),
            _state(deployment, item.name, now),
            _ready(deployment, item.name),
            age(item.since, now),
        )
        for item in history
    ]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as kubectl prints them: columns apart by three spaces."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _state(deployment: Deployment, name: str, now: datetime) -> str:
    revision, back = deployment.revision(name), deployment.rollback
    candidate = deployment.candidate
    found = []
    if deployment.stable == name:
        found.append("stable")
    if candidate and candidate.revision == name and not candidate.is_aborted:
        found.append("candidate")
    if revision.is_aborted or (candidate and candidate.revision == name and candidate.is_aborted):
        found.append("aborted")
    if revision.warm_until and revision.warm_until > now:
        found.append(f"warm for {span(revision.warm_until - now)}")
    if back and back.to == name:
        found.append("rolled back to")
    if back and back.instead == name:
        found.append("in spec")
    return ", ".join(found) or "-"


def _ready(deployment: Deployment, name: str) -> str:
    revision = deployment.revision(name)
    if revision.replicas is None:
        return "-"
    return f"{revision.ready or 0}/{revision.replicas}"
