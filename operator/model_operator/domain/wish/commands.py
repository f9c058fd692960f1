"""What users order by annotations: each names the revision that it is about."""

from collections.abc import Mapping
from enum import StrEnum

from model_operator.domain import names
from model_operator.domain.manifests import Manifest

# Longer ones name no revision, and the status would have to carry them.
_LONGEST = 200


class Command(StrEnum):
    """PROMOTE may be `REVISION/N`: past step N alone. The others may end in a text of their own.

    ROLLBACK names a revision that served before, the others name the candidate.
    """

    ABORT = "abort"
    RETRY = "retry"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


def parse_commands(annotations: Mapping[str, str]) -> dict[Command, str]:
    """The orders in an object's annotations, those of others left out."""
    found = {command: annotations.get(f"{names.GROUP}/{command.value}") for command in Command}
    return {command: text.strip()[:_LONGEST] for command, text in found.items() if text}


def revision_named(text: str) -> str:
    return text.partition("/")[0]


def argument(text: str) -> str:
    """What stands behind the revision's name, which may be nothing."""
    return text.partition("/")[2]


def handled(status: Manifest) -> dict[str, str]:
    """The orders that the status remembers as dealt with, by command."""
    return {item["command"]: item["value"] for item in status.get("commands") or ()}
