"""What the status remembers of a rollout, and how that is read back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from model_operator.domain.conditions import moment, timestamp
from model_operator.domain.evidence.stage import Abort, Stage, State
from model_operator.domain.manifests import Manifest
from model_operator.domain.seen.observed import Observed
from model_operator.domain.wish.commands import Command


@dataclass(frozen=True)
class Kept:
    """Until when a revision that is in use no more keeps its pods.

    One that is warm has been the stable one, and may be so again at once. Any other stays until
    routers send its few requests elsewhere: it was never found good.
    """

    until: datetime
    is_warm: bool = False

    def part(self) -> Manifest:
        """The field of `status.revisions` that brings it back."""
        return {_WARM if self.is_warm else _DRAINS: timestamp(self.until)}


_WARM, _DRAINS = "warmUntil", "drainsUntil"


def stage_in(status: Manifest, revision: str) -> Stage | None:
    """Where the candidate stood; None for another one, or one that took no steps."""
    part = status.get("candidate") or {}
    if part.get("revision") != revision or "target" not in part:
        return None
    abort = part.get("abort")
    return Stage(
        target=int(part["target"]),
        since=moment(part["stepSince"]),
        weight=int(part.get("weight") or 0),
        held_since=_moment(part.get("heldSince")),
        paused_since=_moment(part.get("pausedSince")),
        abort=Abort(abort["reason"], abort["message"], moment(abort["at"])) if abort else None,
        bad_verdicts=int(part.get("badVerdicts") or 0),
        is_halted=bool(part.get("halted")),
        given=int(part.get("given") or 0),
    )


def stage_part(stage: Stage, state: State) -> Manifest:
    """The fields of `status.candidate` that bring the stage back."""
    part: dict[str, Any] = {
        "state": state.value,
        "target": stage.target,
        "stepSince": timestamp(stage.since),
        "weight": stage.weight,
    }
    if stage.held_since:
        part["heldSince"] = timestamp(stage.held_since)
    if stage.paused_since:
        part["pausedSince"] = timestamp(stage.paused_since)
    if stage.bad_verdicts:
        part["badVerdicts"] = stage.bad_verdicts
    if stage.given:
        part["given"] = stage.given
    if stage.is_halted:
        part["halted"] = True
    if abort := stage.abort:
        at = timestamp(abort.at)
        part["abort"] = {"reason": abort.reason, "message": abort.message, "at": at}
    return part


def kept_in(status: Manifest) -> dict[str, Kept]:
    """The revisions that are in use no more, and until when they keep their pods."""
    known = status.get("revisions") or ()
    return {
        item["name"]: Kept(moment(item[field]), is_warm=field == _WARM)
        for field in (_DRAINS, _WARM)
        for item in known
        if item.get(field)
    }


def served_until_now(observed: Observed) -> frozenset[str]:
    """The revisions that may still get requests by what is in force or was last told."""
    stable = (observed.status.get("stable") or {}).get("revision")
    weighted = {name for name, weight in observed.weights().items() if weight > 0}
    return frozenset(weighted | ({stable} if stable else set()))


def commands_part(commands: Mapping[Command, str]) -> list[Manifest] | None:
    """The orders that stand: from now on they are dealt with. Absent while there is none."""
    found = [{"command": command.value, "value": commands[command]} for command in sorted(commands)]
    return found or None


def _moment(text: str | None) -> datetime | None:
    return moment(text) if text else None
