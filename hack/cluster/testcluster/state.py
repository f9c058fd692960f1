"""What a cluster is made of, remembered in its folder for the commands that come later."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class Mode(StrEnum):
    """A whole cluster with containers (root), or a control plane on loopback (any user)."""

    WHOLE = "whole"
    CONTROL_PLANE = "control-plane"


@dataclass(frozen=True)
class State:
    """One cluster. `port` is the API server's on loopback; `complete` once it came up."""

    mode: Mode
    port: int
    nodes: int = 0
    complete: bool = False


def write(state: State, file: Path) -> None:
    """Remember; the file is whole at any moment, so that an interrupted `up` can be told."""
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(state)))
    unfinished.rename(file)


def read(file: Path) -> State | None:
    """What was remembered, or None where no cluster was begun."""
    try:
        facts = json.loads(file.read_text())
    except FileNotFoundError:
        return None
    return State(**{**facts, "mode": Mode(facts["mode"])})
