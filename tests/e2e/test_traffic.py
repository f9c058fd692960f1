"""Traffic between two versions on a real cluster, under callers that never stop.

The tests share one ModelDeployment, since its pods take longest; each brings it to where it begins.
"""

from collections.abc import Iterator

import pytest

from installed import Installed, eventually
from steered import CANDIDATE, STABLE, VARIANT, Applied, Steered, steered

pytestmark = pytest.mark.cluster

OPERATOR = ("-n", "modelfleet-system", "deployment/modelfleet-operator")
ROUTER = "app.kubernetes.io/name=model-router"


@pytest.fixture(scope="module")
def live(installed: Installed) -> Iterator[Steered]:
    """The object at its stable version, and its callers."""
    with steered(Applied(installed)) as running:
        yield running


@pytest.fixture
def halfway(live: Steered) -> Steered:
    """The candidate has half of the requests, and keeps them until somebody steers."""
    live.ask_for(CANDIDATE)
    eventually(lambda: live.status().get("candidate"), within=300)
    live.order("retry", f"{live.candidate()}/{live.calls.came.requests}")
    live.reaches(v2=50, v3=50)
    return live


@pytest.fixture
def without_operator(installed: Installed) -> Iterator[None]:
    """No operator runs."""
    installed.kubectl("scale", *OPERATOR, "--replicas=0")
    pods = ("pods", "-n", "modelfleet-system", "-l", "app.kubernetes.io/name=model-operator")
    eventually(lambda: not installed.get(*pods)["items"])
    yield
    installed.kubectl("scale", *OPERATOR, "--replicas=2")
    installed.kubectl("rollout", "status", *OPERATOR, "--timeout=120s")


def test_the_demo_promotes_a_good_version_and_turns_bad_ones_away(installed: Installed) -> None:
    told = installed.demo_output
    _, _, good = told.partition("Start four callers")
    good, _, bad = good.partition("✓ Version 2 is good")

    assert "10 %" in good
    assert "50 %" in good
    assert "failed: 0" in bad.splitlines()[1]
    assert bad.count("AnalysisFailed") == 2
    assert "every failure was version 4's own" in bad


def test_requests_of_both_protocols_follow_the_weights(halfway: Steered) -> None:
    came = halfway.more(600)

    assert not came.failures
    for protocol in (came.grpc, came.rest):
        share = protocol[f"version {CANDIDATE}"] / sum(protocol.values())
        # Four standard deviations of three hundred draws.
        assert 0.38 < share < 0.62


def test_traffic_goes_on_without_the_operator(halfway: Steered, without_operator: None) -> None:
    installed = halfway.installed
    stable = halfway.status()["stable"]["revision"]
    before = halfway.calls.came
    lost = next(pod for pod in halfway.pods() if pod.startswith(stable))

    installed.kubectl("delete", "pod", lost)
    installed.kubectl("rollout", "status", f"deployment/{stable}", "--timeout=300s")
    [first] = installed.get("pods", "-l", ROUTER)["items"]
    installed.kubectl("scale", "deployment/modelfleet-router", "--replicas=2")
    installed.kubectl("rollout", "status", "deployment/modelfleet-router", "--timeout=300s")
    installed.kubectl("delete", "pod", first["metadata"]["name"])
    installed.kubectl("rollout", "status", "deployment/modelfleet-router", "--timeout=300s")
    came = halfway.more(600)

    assert 0.42 < came.of(CANDIDATE) / came.requests < 0.58
    assert not halfway.calls.came.since(before).failures


def test_an_abort_needs_no_new_pod_and_loses_nothing(halfway: Steered) -> None:
    before, pods = halfway.calls.came, halfway.pods()

    halfway.order("abort", halfway.candidate())
    halfway.reaches(v2=100)
    came = halfway.more(200)

    assert came.of(STABLE) == came.requests
    assert halfway.pods() <= pods
    assert not halfway.calls.came.since(before).failures


def test_a_revert_is_back_at_once_while_the_former_version_is_warm(halfway: Steered) -> None:
    before = halfway.calls.came
    halfway.order("promote", halfway.candidate())
    halfway.reaches(v3=100)
    promoted = halfway.more(200)
    pods = halfway.pods()

    halfway.ask_for(STABLE)
    halfway.reaches(v2=100)
    came = halfway.more(200)

    assert promoted.of(CANDIDATE) == promoted.requests
    assert came.of(STABLE) == came.requests
    # By the pods that were there, all steps skipped.
    assert halfway.pods() <= pods
    assert not halfway.calls.came.since(before).failures


def test_a_header_chooses_the_variant_and_other_callers_notice_nothing(live: Steered) -> None:
    before = live.calls.came
    arm = {"name": "big", "model": {"version": VARIANT}, "replicas": 1}
    live.ask_for(STABLE, variants=[arm | {"match": [{"header": "x-cohort", "exact": "big"}]}])

    eventually(lambda: live.version_for({"x-cohort": "big"}) == VARIANT, within=300)
    came = live.calls.came.since(before)

    assert live.version_for({"x-cohort": "small"}) == STABLE
    assert came.of(VARIANT) == 0
    assert not came.failures
