"""What is known of a candidate: the counts of all routers that hold to the weights, added up."""

from collections.abc import Mapping, Sequence

from model_operator.domain.evidence.counts import NO_REQUESTS, Tally, Told
from model_operator.domain.seen.observed import Observed
from model_operator.plan.analysis.judge import Evidence

_NOT_YET = "it gets no requests yet"
_NO_ROUTER = "no router is ready to tell"


def evidence_of(observed: Observed, stable: str, candidate: str) -> Evidence:
    """Of the time since the present weights came into force, or since the last bad verdict."""
    record, routing = observed.record(), observed.routing
    if record is None or routing is None or not record.weights.get(candidate):
        return Evidence(troubles=(_NOT_YET,))
    if not routing.told:
        return Evidence(troubles=(_NO_ROUTER,))
    tallies, troubles = total(routing.told, record.weights)
    return Evidence(
        tallies.get(candidate, NO_REQUESTS),
        tallies.get(stable, NO_REQUESTS),
        observed.answers.by_name,
        troubles,
    )


def total(
    told: Sequence[Told], weights: Mapping[str, int]
) -> tuple[dict[str, Tally], tuple[str, ...]]:
    """The counts by revision of all routers that hold to these weights, and what is missing."""
    tallies: dict[str, Tally] = {}
    troubles = []
    for item in told:
        if item.trouble:
            troubles.append(f"router {item.router} {item.trouble}")
        elif _shares(item.split) != _shares(weights):
            troubles.append(f"router {item.router} does not hold to the weights yet")
        else:
            for name, tally in item.tallies.items():
                tallies[name] = tallies.get(name, NO_REQUESTS) + tally
    return tallies, tuple(troubles)


def _shares(weights: Mapping[str, int]) -> dict[str, int]:
    return {name: weight for name, weight in weights.items() if weight}
