"""What the status of each ModelDeployment says is told as metrics."""

import pytest
from prometheus_client import CollectorRegistry

from model_operator.metrics.operation import Metrics
from rollout_world import change, served

NAME = "shop/ranker"
OBJECT = {"namespace": "shop", "modeldeployment": "ranker"}


class Told:
    """Metrics, and how to read a value of them."""

    def __init__(self, status):
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.metrics.states.note(NAME, status)

    def of(self, metric, **labels):
        return self.registry.get_sample_value(f"modelfleet_{metric}", OBJECT | labels)


@pytest.fixture
def on_its_way():
    """A candidate that has its first weight, and the names of both revisions."""
    world = served()
    old, new = change(world)
    return Told(world.body["status"]), old, new


def test_conditions_are_told_whether_they_are_there_or_not(on_its_way):
    told, _, _ = on_its_way

    found = {
        type_: told.of("condition", type=type_)
        for type_ in ("Ready", "Available", "Reconciling", "Stalled", "Paused")
    }
    assert found == {"Ready": 0, "Available": 1, "Reconciling": 1, "Stalled": 0, "Paused": 0}
    assert told.of("ready_reason", reason="Progressing") == 1


def test_each_revision_has_its_version_its_share_and_its_pods(on_its_way):
    told, old, new = on_its_way
    share = {"variant": "", "state": "wanted"}

    assert told.of("version", revision=old, role="stable") == 1
    assert told.of("version", revision=new, role="candidate") == 2
    assert told.of("revision_info", revision=old, variant="", version="1") == 1
    assert told.of("weight_percent", revision=old, **share) == 90
    assert told.of("weight_percent", revision=new, **share) == 10
    assert told.of("replicas", revision=old, state="ready") == 4
    assert told.of("replicas", revision=new, state="wanted") == 1


JUDGED = {
    "candidate": {
        "revision": "ranker-2",
        "verdict": "Fail",
        "requests": 812,
        "badVerdicts": 1,
        "analysis": {"prometheus": [{"name": "ctr", "value": 0.013}]},
    },
    "traffic": [
        {"revision": "ranker-1", "wanted": 80, "programmed": 80, "observed": 79.5},
        {"revision": "ranker-3", "variant": "big", "wanted": 20},
    ],
    "revisions": [
        {
            "name": "ranker-3",
            "variant": "big",
            "version": 9,
            "replicas": 2,
            "readyReplicas": 1,
        }
    ],
}


def test_the_verdict_comes_with_its_numbers():
    told, candidate = Told(JUDGED), {"revision": "ranker-2"}

    assert told.of("candidate_verdict", verdict="Fail", **candidate) == 1
    assert told.of("candidate_verdict", verdict="Pass", **candidate) == 0
    assert told.of("candidate_verdict", verdict="Inconclusive", **candidate) == 0
    assert told.of("candidate_requests", **candidate) == 812
    assert told.of("candidate_bad_verdicts", **candidate) == 1
    assert told.of("candidate_query", query="ctr", **candidate) == 0.013


def test_shares_are_told_as_far_as_they_are_known():
    told = Told(JUDGED)

    stable, big = (
        {"revision": "ranker-1", "variant": ""},
        {"revision": "ranker-3", "variant": "big"},
    )
    assert told.of("weight_percent", state="observed", **stable) == 79.5
    assert told.of("weight_percent", state="wanted", **big) == 20
    assert told.of("weight_percent", state="programmed", **big) is None
    assert told.of("revision_info", version="9", **big) == 1


def test_what_is_over_and_what_is_gone_is_told_no_more():
    told = Told(JUDGED)

    told.metrics.states.note(NAME, {"candidate": {"revision": "ranker-9"}})
    assert told.of("candidate_requests", revision="ranker-2") is None
    assert told.of("condition", type="Ready") == 0

    told.metrics.forget(NAME)
    assert told.of("condition", type="Ready") is None


@pytest.mark.parametrize(
    "status",
    [
        {"traffic": 7},
        {"conditions": ["x"]},
        {"revisions": [{}]},
        {"candidate": {"revision": 1, "analysis": []}},
    ],
    ids=str,
)
def test_a_status_that_somebody_else_wrote_hides_no_other(status):
    told = Told(JUDGED)

    told.metrics.states.note("shop/other", status)

    assert told.of("candidate_requests", revision="ranker-2") == 812
