"""A control plane on loopback: what tests of API behaviour stand on."""

import pytest

from testcluster import CommandFailed, ControlPlane

pytestmark = pytest.mark.api


def test_kubectl_finds_the_api_server(control_plane: ControlPlane) -> None:
    assert "kube-system" in control_plane.kubectl("get", "namespaces")


def test_a_refusal_carries_the_words_of_the_api_server(control_plane: ControlPlane) -> None:
    with pytest.raises(CommandFailed, match='namespaces "absent" not found'):
        control_plane.kubectl("get", "namespace", "absent")
