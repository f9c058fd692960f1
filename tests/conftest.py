"""The clusters that tests of all programs run against."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from testcluster import Cluster, ControlPlane
from testcluster.progress import Progress

# A busy machine is no failure of what is tested.
hypothesis.settings.register_profile(
    "unhurried",
    deadline=None,
    suppress_health_check=[
        hypothesis.HealthCheck.too_slow,
        hypothesis.HealthCheck.filter_too_much,
    ],
)
hypothesis.settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--keep-cluster",
        action="store_true",
        help="leave the test cluster up, so that the next run finds it",
    )


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A real API server without controllers, on loopback, for the whole session."""
    with ControlPlane(progress=Progress()) as running:
        yield running


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A whole cluster with a node and containers; MODELFLEET_TEST_CLUSTER is its name.

    One that was up before is left up: somebody else may need it.
    """
    name = os.environ.get("MODELFLEET_TEST_CLUSTER", "modelfleet-test")
    running = Cluster(name, Progress())
    is_ours = not running.folder.path.exists()
    running.up()
    yield running
    if is_ours and not request.config.getoption("--keep-cluster"):
        running.down()
