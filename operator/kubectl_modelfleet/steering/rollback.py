"""Which revision a rollback goes to."""

from collections.abc import Sequence

from kubectl_modelfleet.seen.deployment import Deployment
from kubectl_modelfleet.seen.history import Remembered
from kubectl_modelfleet.steering.errors import Refused
from kubectl_modelfleet.steering.likeness import near


def named_target(history: Sequence[Remembered], name: str) -> str:
    """The revision of that name.

    Raises:
        Refused: there is none.
    """
    names = [item.name for item in history]
    if name in names:
        return name
    raise Refused(f"there is no revision {name}", near(name, names) or _choices(history))


def target_of_version(history: Sequence[Remembered], version: int) -> str:
    """The revision with that version of the model.

    Raises:
        Refused: there is none, or more than one.
    """
    found = [item.name for item in history if item.version == version]
    if not found:
        raise Refused(f"no revision has version {version}", _choices(history))
    if len(found) > 1:
        raise Refused(f"{len(found)} revisions have version {version}", _choices(history))
    return found[0]


def former_target(deployment: Deployment, history: Sequence[Remembered]) -> str:
    """The revision that served before the present one, where there is no doubt which that is.

    The history does not tell which revisions have served: one may have been aborted.

    Raises:
        Refused: a candidate is on its way, or several revisions may be meant.
    """
    candidate = deployment.candidate
    if candidate is not None and not candidate.is_aborted and deployment.stable:
        says = f"{candidate.revision} is on its way, and {deployment.stable} serves"
        raise Refused(says, f"to stop it: kubectl modelfleet abort {deployment.name}")
    others = [item for item in history if item.name != deployment.stable]
    if not others:
        raise Refused("no earlier revision is remembered")
    warm = [item for item in others if deployment.revision(item.name).warm_until]
    if len(warm) == 1:
        return warm[0].name
    if candidate is None and len(others) == 1:
        return others[0].name
    raise Refused("several revisions may be meant", _choices(history))


def _choices(history: Sequence[Remembered]) -> str:
    found = [f"{item.name} (version {item.version})" for item in history]
    return "name one by --to: " + ", ".join(found) if found else ""
