"""What keeps real pods from serving is in the status, as the real kubelet tells it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from installed import Installed, eventually

pytestmark = pytest.mark.cluster

Apply = Callable[[str, str], None]
KEY = {"secretKeyRef": {"name": "no-such-secret", "key": "k"}}


@pytest.fixture
def claim(installed: Installed) -> Iterator[str]:
    """A claim that is bound to a folder which is not on the node."""
    name = "gone"
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": common
        | {
            "capacity": {"storage": "1Mi"},
            "hostPath": {"path": "/no/such/folder", "type": "Directory"},
            "claimRef": {"name": name, "namespace": installed.namespace},
        },
    }
    request = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": common | {"volumeName": name, "resources": {"requests": {"storage": "1Mi"}}},
    }
    for manifest in (volume, request):
        installed.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
    yield name
    installed.kubectl("delete", "pvc", name, "--wait=false")
    installed.kubectl("delete", "pv", name, "--wait=false")


@pytest.mark.parametrize(
    ("serving", "reason", "word"),
    [
        pytest.param(
            {"image": "localhost/no/such/image:1"},
            "ImagePullFailed",
            "no/such/image",
            id="an image that does not exist",
        ),
        pytest.param(
            {"env": [{"name": "A", "valueFrom": KEY}]},
            "SecretNotFound",
            "no-such-secret",
            id="a Secret that does not exist",
        ),
        pytest.param(
            {"args": ["--max_num_load_retries=many"]},
            "Crashing",
            'must be an integer, not "many"',
            id="a flag with a value that makes no sense",
        ),
        pytest.param(
            {"resources": {"limits": {"memory": "48Mi"}}},
            "OutOfMemory",
            "memory limit",
            id="too little memory",
        ),
    ],
)
def test_the_reason_is_named(
    installed: Installed, deployment: Apply, serving: dict[str, Any], reason: str, word: str
) -> None:
    model = {"uri": "pvc://models/half_plus_two", "version": 1}

    deployment("hindered", json.dumps({"model": model, "serving": serving}))

    eventually(lambda: installed.condition("hindered", "Ready").get("reason") == reason)
    assert word in installed.condition("hindered", "Ready")["message"]
    assert installed.condition("hindered", "Available")["status"] == "False"


def test_a_volume_that_cannot_be_mounted_is_named(
    installed: Installed, deployment: Apply, claim: str
) -> None:
    deployment("unmounted", json.dumps({"model": {"uri": f"pvc://{claim}/m", "version": 1}}))

    eventually(lambda: installed.condition("unmounted", "Ready").get("reason") == "MountFailed")
    assert "/no/such/folder" in installed.condition("unmounted", "Ready")["message"]
