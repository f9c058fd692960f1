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

WAS_UP = pytest.StashKey[bool]()


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


def pytest_configure(config: pytest.Config) -> None:
    # Before any worker begins: one that was up then is left up, since somebody else may need it.
    if not hasattr(config, "workerinput"):
        config.stash[WAS_UP] = _cluster().folder.path.exists()


def pytest_sessionfinish(session: pytest.Session) -> None:
    # Workers share the cluster, so none of them can take it down: this program outlives them.
    is_ours = not session.config.stash.get(WAS_UP, True)
    if is_ours and not session.config.getoption("--keep-cluster"):
        running = _cluster()
        if running.folder.path.exists():
            running.down()


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """A whole cluster with a node and containers; MODELFLEET_TEST_CLUSTER is its name."""
    running = _cluster()
    running.up()
    return running


def _cluster() -> Cluster:
    return Cluster(os.environ.get("MODELFLEET_TEST_CLUSTER", "modelfleet-test"), Progress())
