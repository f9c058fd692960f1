"""What a Prometheus is asked about a candidate."""

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.evidence.promql import Questions, Subject, filled_in
from model_operator.domain.manifests import Manifest
from model_operator.domain.wish.spec import Identity, ModelDeployment
from model_operator.plan.rollout.memory import stage_in


def questions(deployment: ModelDeployment, status: Manifest) -> Questions | None:
    """What to ask while a step's weight is in force; None while nobody needs to know."""
    analysis = None if deployment.suspend else deployment.rollout.analysis
    stable = (status.get("stable") or {}).get("revision")
    candidate = (status.get("candidate") or {}).get("revision")
    if analysis is None or not analysis.queries or not stable or not candidate:
        return None
    stage = stage_in(status, candidate)
    if stage is None or stage.abort is not None or stage.held_since is None:
        return None
    subject = _subject(deployment.identity, candidate, stable)
    asked = {query.name: filled_in(query.text, subject) for query in analysis.queries}
    namespace = deployment.identity.namespace
    return Questions(namespace, asked, stage.held_since, stage.bad_verdicts)


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
