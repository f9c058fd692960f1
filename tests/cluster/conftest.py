"""Pods to try a cluster out with."""

from collections.abc import Iterator

import pytest

from cluster_command import serve_web
from testcluster import Cluster


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[str]:
    """The namespace of two web pods on the session's cluster."""
    serve_web(cluster, "web")
    yield "web"
    cluster.kubectl("delete", "namespace", "web", "--wait=false")
