"""A real Prometheus that knows something."""

import pytest

from real_prometheus import prometheus, remember

NODES = {f'node_load{{node="node-{number:04}"}}': number for number in range(1000)}


@pytest.fixture(scope="module")
def knowing(tmp_path_factory):
    """It has a thousand time series."""
    folder = tmp_path_factory.mktemp("prometheus")
    remember(folder, NODES | {"up": 1.0})
    with prometheus(folder) as running:
        yield running
