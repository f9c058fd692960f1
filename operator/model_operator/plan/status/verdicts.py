"""What the status says of an analysis: the verdict, and the numbers that led to it."""

from typing import Any

from model_operator.domain.evidence.counts import Tally
from model_operator.domain.evidence.judgement import Judgement
from model_operator.domain.manifests import Manifest

PARTS = ("requests", "verdict", "analysis")


def verdict_part(judgement: Judgement) -> Manifest:
    """The fields of `status.candidate` that a verdict has."""
    numbers = _numbers(judgement.candidate)
    requests = numbers.pop("requests")
    analysis: dict[str, Any] = {"message": judgement.message[:1000], **numbers}
    if judgement.stable.requests:
        analysis["stable"] = _numbers(judgement.stable)
    if judgement.values:
        analysis["prometheus"] = [
            {"name": name, "value": value} for name, value in sorted(judgement.values.items())
        ]
    return {"requests": requests, "verdict": judgement.verdict.value, "analysis": analysis}


def _numbers(tally: Tally) -> Manifest:
    p99 = tally.quantile(0.99)
    part = {
        "requests": tally.requests,
        "errors": tally.errors,
        "abandoned": tally.abandoned,
        "errorPercent": round(tally.error_percent, 3),
    }
    return part | ({"p99Milliseconds": p99} if p99 is not None else {})


def without_numbers(candidate: Manifest) -> Manifest:
    """A candidate's part of the status without what changes with each request."""
    return {
        part: value for part, value in candidate.items() if part not in {"requests", "analysis"}
    }
