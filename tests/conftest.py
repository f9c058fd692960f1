"""The clusters that tests of all programs run against."""

from collections.abc import Iterator

import pytest

from testcluster import ControlPlane
from testcluster.progress import Progress


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A real API server without controllers, on loopback, for the whole session."""
    with ControlPlane(progress=Progress()) as running:
        yield running
