"""What the statuses of ModelDeployments say, as gauges that alerts can be made from."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from model_operator.domain import conditions
from model_operator.domain.conditions import ConditionType
from model_operator.domain.errors import UNREADABLE
from model_operator.domain.evidence.stage import Verdict
from model_operator.domain.manifests import Manifest

_OBJECT = ("namespace", "modeldeployment")
_REVISION = (*_OBJECT, "revision")
# By name: the further labels, and what it tells.
_GAUGES = {
    "modelfleet_condition": (
        (*_OBJECT, "type"),
        "1 while the condition of a ModelDeployment is True, 0 otherwise.",
    ),
    "modelfleet_ready_reason": ((*_OBJECT, "reason"), "1 for the reason of its Ready condition."),
    "modelfleet_version": (
        (*_REVISION, "role"),
        "The version of the model that a revision serves; its role is stable or candidate.",
    ),
    "modelfleet_revision_info": (
        (*_REVISION, "variant", "version"),
        "1 for each revision in use: whose it is, and which version of the model it serves.",
    ),
    "modelfleet_weight_percent": (
        (*_REVISION, "variant", "state"),
        "The share of requests of a revision: wanted, programmed in all routers, and observed.",
    ),
    "modelfleet_replicas": ((*_REVISION, "state"), "Pods of a revision: wanted and ready."),
    "modelfleet_candidate_verdict": (
        (*_REVISION, "verdict"),
        "1 for the verdict of the analysis on a candidate, 0 for the others.",
    ),
    "modelfleet_candidate_requests": (
        _REVISION,
        "Requests to a candidate since it has its present weight.",
    ),
    "modelfleet_candidate_bad_verdicts": (_REVISION, "Bad verdicts on a candidate at this step."),
    "modelfleet_candidate_query": ((*_REVISION, "query"), "What a query of the analysis gave."),
}
Sample = tuple[str, tuple[str, ...], float]


class ObjectStates(Collector):
    """Keeps the latest status of each ModelDeployment, and tells of it when it is asked."""

    def __init__(self) -> None:
        self._samples: dict[str, tuple[Sample, ...]] = {}

    def note(self, name: str, status: Manifest) -> None:
        """Tell of this status from now on.

        Args:
            name: `NAMESPACE/NAME`.
        """
        try:
            self._samples[name] = tuple(_samples(tuple(name.split("/")), status))
        except UNREADABLE:
            # Somebody else wrote it; the next status is the operator's own.
            self.forget(name)

    def forget(self, name: str) -> None:
        """Tell of it no more: it is gone."""
        self._samples.pop(name, None)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """All gauges, for the registry."""
        families = {
            name: GaugeMetricFamily(name, told, labels=labels)
            for name, (labels, told) in _GAUGES.items()
        }
        # A copy: this runs in a thread of its own, and passes go on meanwhile.
        for samples in list(self._samples.values()):
            for name, labels, value in samples:
                families[name].add_metric(labels, value)
        yield from families.values()


def _samples(name: tuple[str, ...], status: Manifest) -> Iterator[Sample]:
    yield from _conditions(name, status)
    for role in ("stable", "candidate"):
        part = status.get(role) or {}
        if "version" in part:
            labels = (*name, str(part["revision"]), role)
            yield "modelfleet_version", labels, float(part["version"])
    yield from _traffic(name, status)
    for item in status.get("revisions") or ():
        yield from _revision((*name, str(item["name"])), item)
    if candidate := status.get("candidate"):
        yield from _candidate((*name, str(candidate["revision"])), candidate)


def _conditions(name: tuple[str, ...], status: Manifest) -> Iterator[Sample]:
    for type_ in ConditionType:
        found = conditions.find(status, type_)
        is_true = found is not None and found["status"] == "True"
        yield "modelfleet_condition", (*name, type_.value), float(is_true)
    if ready := conditions.find(status, ConditionType.READY):
        yield "modelfleet_ready_reason", (*name, str(ready["reason"])), 1.0


def _revision(labels: tuple[str, ...], item: Manifest) -> Iterator[Sample]:
    variant, version = str(item.get("variant") or ""), str(item.get("version") or "")
    yield "modelfleet_revision_info", (*labels, variant, version), 1.0
    for state, field in (("wanted", "replicas"), ("ready", "readyReplicas")):
        yield "modelfleet_replicas", (*labels, state), float(item[field])


def _traffic(name: tuple[str, ...], status: Manifest) -> Iterator[Sample]:
    for item in status.get("traffic") or ():
        labels = (*name, str(item["revision"]), str(item.get("variant") or ""))
        for state in ("wanted", "programmed", "observed"):
            if state in item:
                yield "modelfleet_weight_percent", (*labels, state), float(item[state])


def _candidate(labels: tuple[str, ...], candidate: Manifest) -> Iterator[Sample]:
    if verdict := candidate.get("verdict"):
        for each in Verdict:
            is_it = float(each == verdict)
            yield "modelfleet_candidate_verdict", (*labels, each.value), is_it
        yield "modelfleet_candidate_requests", labels, float(candidate.get("requests") or 0)
        bad = float(candidate.get("badVerdicts") or 0)
        yield "modelfleet_candidate_bad_verdicts", labels, bad
    for item in (candidate.get("analysis") or {}).get("prometheus") or ():
        number = float(item["value"])
        yield "modelfleet_candidate_query", (*labels, str(item["name"])), number
