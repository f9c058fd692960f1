"""What a Prometheus is asked about a candidate, and what its answers come to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model_operator.domain.analysis import Query
from model_operator.domain.errors import InvalidSpec
from model_operator.domain.manifests import Manifest
from model_operator.domain.promql import Answer, Questions, Subject, filled_in
from model_operator.domain.spec import Identity, ModelDeployment
from model_operator.domain.stage import Verdict
from model_operator.plan.rollout.memory import stage_in


@dataclass(frozen=True)
class Finding:
    """What one query comes to, in words as well; `value` is None where there is no number."""

    name: str
    verdict: Verdict
    value: float | None
    words: str


def questions(deployment: ModelDeployment, status: Manifest) -> Questions | None:
    """What to ask while a step's weight is in force; None while nobody needs to know."""
    analysis = deployment.rollout.analysis
    stable = (status.get("stable") or {}).get("revision")
    candidate = (status.get("candidate") or {}).get("revision")
    if analysis is None or not analysis.queries or not stable or not candidate:
        return None
    stage = stage_in(status, candidate)
    if stage is None or stage.abort is not None or stage.held_since is None:
        return None
    subject = _subject(deployment.identity, candidate, stable)
    asked = {query.name: filled_in(query.text, subject) for query in analysis.queries}
    return Questions(deployment.identity.namespace, asked, stage.held_since)


def findings(queries: Iterable[Query], answers: Mapping[str, Answer]) -> tuple[Finding, ...]:
    """One for each query. Without a number it is Inconclusive, never Pass."""
    return tuple(_finding(query, answers.get(query.name)) for query in queries)


def require_prometheus(deployment: ModelDeployment, has_prometheus: bool) -> None:
    """Refuse queries where nobody could answer them.

    Raises:
        InvalidSpec: there are queries and no Prometheus.
    """
    analysis = deployment.rollout.analysis
    if analysis and analysis.queries and not has_prometheus:
        raise InvalidSpec(
            "spec.rollout.analysis.prometheus",
            "needs a Prometheus, and none is known here; its administrator may set prometheus.url",
        )


def _subject(identity: Identity, candidate: str, stable: str) -> Subject:
    return Subject(identity.namespace, identity.name, revision=candidate, stable=stable)


def _finding(query: Query, answer: Answer | None) -> Finding:
    if answer is None:
        return Finding(query.name, Verdict.INCONCLUSIVE, None, f"{query.name}: not answered yet")
    value = answer.value
    if value is None:
        said = f"{query.name}: {answer.trouble}"
        return Finding(query.name, Verdict.INCONCLUSIVE, None, said)
    told = f"{query.name} is {value:.6g}"
    if query.lowest is not None and not value >= query.lowest:
        return Finding(query.name, Verdict.FAIL, value, f"{told}, below {query.lowest:g}")
    if query.highest is not None and not value <= query.highest:
        return Finding(query.name, Verdict.FAIL, value, f"{told}, above {query.highest:g}")
    return Finding(query.name, Verdict.PASS, value, told)
