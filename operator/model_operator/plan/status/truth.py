"""Which share of the requests each revision really had, by the counts of all routers."""

from collections.abc import Iterable, Mapping

from model_operator.domain.conditions import Condition, ConditionType
from model_operator.domain.manifests import Manifest
from model_operator.plan.analysis.evidence import total
from model_operator.plan.status.situation import Situation

# By chance alone 1,000 requests at 50 % are more than 5 points off once in 600 times.
_ENOUGH = 1000
_MOST_POINTS = 5
# What moves by less is not worth a write: sums over a long time hardly do.
_NEWS_POINTS = 0.5


def with_observed(parts: Iterable[Manifest], situation: Situation) -> list[Manifest]:
    """`status.traffic` with what was observed; absent where nobody could tell."""
    found, before = _observed(situation), situation.observed.status.get("traffic") or ()
    known = {item["revision"]: item.get("observed") for item in before}
    told = []
    for item in parts:
        share = found.get(item["revision"])
        if share is None:
            told.append(item)
            continue
        former = known.get(item["revision"])
        is_news = former is None or abs(share - former) >= _NEWS_POINTS
        told.append(item | {"observed": round(share, 1) if is_news else former})
    return told


def skewed(situation: Situation) -> list[Condition]:
    """A condition when requests are shared otherwise than wanted.

    Its message has no numbers: they change with each request.
    """
    if any(arm.matches for arm in situation.deployment.arms):
        return []  # Requests that are chosen by their headers are in no percentage.
    if _requests(situation) < _ENOUGH:
        return []
    wanted = situation.shares
    strays = [
        f"{name} gets {'less' if share < wanted.get(name, 0) else 'more'} than its "
        f"{wanted.get(name, 0)} %"
        for name, share in sorted(_observed(situation).items())
        if abs(share - wanted.get(name, 0)) > _MOST_POINTS
    ]
    if not strays:
        return []
    message = f"by more than {_MOST_POINTS} points: {', '.join(strays)}; see status.traffic"
    return [Condition(ConditionType.SKEWED, True, "TrafficStrays", message)]


def without_observed(parts: Iterable[Manifest]) -> list[Manifest]:
    return [{name: value for name, value in item.items() if name != "observed"} for item in parts]


def _observed(situation: Situation) -> dict[str, float]:
    """Percent by revision; empty where routers do not all tell, or nothing was asked."""
    counts = _counts(situation)
    everything = sum(counts.values())
    if not everything:
        return {}
    return {name: 100 * count / everything for name, count in counts.items()}


def _requests(situation: Situation) -> int:
    return sum(_counts(situation).values())


def _counts(situation: Situation) -> Mapping[str, int]:
    """What has come since the weights came into force that are still wanted."""
    routing, record = situation.observed.routing, situation.observed.record()
    if routing is None or record is None or not routing.told:
        return {}
    if _weighted(record.weights) != _weighted(situation.shares):
        return {}
    tallies, troubles = total(routing.told, record.weights)
    is_known = not troubles
    names = record.weights.keys() | record.chosen
    return {name: tallies[name].requests for name in tallies if is_known and name in names}


def _weighted(weights: Mapping[str, int]) -> dict[str, int]:
    return {name: weight for name, weight in weights.items() if weight}
