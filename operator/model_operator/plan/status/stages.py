"""What the status says of a change that goes by steps."""

from collections.abc import Mapping, Set

from model_operator.domain.conditions import Condition, ConditionType
from model_operator.domain.evidence.stage import State
from model_operator.domain.manifests import Manifest
from model_operator.domain.seen.troubles import PASSING
from model_operator.domain.wish.rollout import Rollout
from model_operator.plan.rollout.memory import stage_part
from model_operator.plan.rollout.move import Move
from model_operator.plan.status.verdicts import verdict_part


def stage_of(rollout: Rollout, made: Move) -> Manifest:
    """Where the candidate stands; its step is counted from 1."""
    step = sum(item.weight < made.stage.target for item in rollout.steps) + 1
    part = {"step": step} | stage_part(made.stage, made.state) | {"weight": made.share}
    return part | (verdict_part(made.judgement) if made.judgement else {})


def shares(
    wanted: Mapping[str, int], in_force: Mapping[str, int] | None, serving: Set[str]
) -> list[Manifest]:
    """The weights of the revisions that get requests, are to, or serve.

    `in_force` None is not known.
    """
    weighted = [*wanted.items(), *(in_force or {}).items()]
    shown = sorted({name for name, weight in weighted if weight} | serving)
    told = {name: {"programmed": in_force.get(name, 0)} for name in shown} if in_force else {}
    return [
        {"revision": name, "wanted": wanted.get(name, 0)} | told.get(name, {}) for name in shown
    ]


def why_not_ready(made: Move, version: int, cause: str | None) -> tuple[str, str]:
    """A reason and a sentence. `cause` is what keeps the candidate's pods from being ready."""
    stage = made.stage
    if stage.abort is not None:
        said = f"version {version} was aborted: {stage.abort.message}"
        return stage.abort.reason, f"{said}; {cause}" if cause else said
    if made.state is State.PAUSED:
        if stage.is_halted:
            halted = f"version {version} is paused at {stage.weight} %: it had no verdict in time"
            return "AnalysisInconclusive", halted
        return "Paused", f"version {version} is paused at {stage.weight} %"
    if made.state is State.HOLDING:
        return "Progressing", f"version {version} is at {stage.weight} %"
    reason, _, words = (cause or "").partition(": ")
    if words and reason not in PASSING:
        return reason, f"version {version} waits for replicas for {stage.target} %; {words}"
    return "Progressing", f"version {version} waits for replicas for {stage.target} %"


def halted_by(made: Move | None, version: int) -> list[Condition]:
    """The condition that a rollout goes on only when a user says so."""
    if made is None or made.state is not State.PAUSED:
        return []
    message = f"version {version} is paused: {made.next}"
    return [Condition(ConditionType.PAUSED, True, "Paused", message)]
