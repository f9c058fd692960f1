"""How far something has come that users wait for."""

from dataclasses import dataclass
from enum import Enum

from kubectl_modelfleet.seen.deployment import Deployment


class Outcome(Enum):
    """STALLED will not get there by itself; UNDER_WAY may."""

    DONE = "done"
    UNDER_WAY = "under way"
    STALLED = "stalled"


@dataclass(frozen=True)
class Standing:
    outcome: Outcome
    says: str


def standing_of(deployment: Deployment) -> Standing:
    """Whether the newest spec is carried out, as kstatus reads conditions."""
    if not deployment.is_current:
        newest, seen = deployment.wishes.generation, deployment.seen_generation
        says = f"the operator has not seen the newest spec (generation {newest}, seen {seen})"
        return Standing(Outcome.UNDER_WAY, says)
    ready, stalled = deployment.condition("Ready"), deployment.condition("Stalled")
    if ready and ready.status == "True":
        return Standing(Outcome.DONE, f"{ready.reason}: {ready.message}")
    if stalled and stalled.status == "True":
        return Standing(Outcome.STALLED, f"{stalled.reason}: {stalled.message}")
    said = f"{ready.reason}: {ready.message}" if ready else "the status has no condition Ready"
    return Standing(Outcome.UNDER_WAY, said)
