"""What stands in the way is in the status, in the words of whoever knows it."""

import http.server
import json
import threading

import pytest

from api_server import eventually
from ranker import RUNNING, candidate, condition, manifest, run_pod, status_of, touch

pytestmark = pytest.mark.api


def test_a_service_of_somebody_else_is_not_taken(operator, api_server):
    api_server.run("create", "service", "clusterip", "ranker", "--tcp=80:80")
    before = api_server.get("service", "ranker")

    api_server.apply(manifest())

    eventually(lambda: condition(api_server, "Stalled"))
    assert condition(api_server, "Ready")["reason"] == "NameTaken"
    assert "Service ranker exists" in condition(api_server, "Ready")["message"]
    assert api_server.get("service", "ranker") == before


FOREIGN = [
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "ranker-d2fdac2b09"},
        "spec": {
            "selector": {"matchLabels": {"app": "other"}},
            "template": {
                "metadata": {"labels": {"app": "other"}},
                "spec": {"containers": [{"name": "c", "image": "x"}]},
            },
        },
    },
    {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "ranker-d2fdac2b09"},
        "revision": 1,
        "data": {},
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "ranker-model-server"},
        "spec": {"podSelector": {}},
    },
]


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda item: item["kind"])
def test_no_object_of_somebody_else_is_taken_and_deleting_it_is_enough(
    operator, api_server, foreign
):
    kind, name = foreign["kind"], foreign["metadata"]["name"]
    api_server.apply(foreign)
    before = api_server.get(kind, name)

    api_server.apply(manifest())
    eventually(lambda: condition(api_server, "Stalled"))

    assert condition(api_server, "Stalled")["reason"] == "NameTaken"
    assert f"{kind} {name} exists" in condition(api_server, "Stalled")["message"]
    assert api_server.get(kind, name) == before
    api_server.delete(kind, name)
    touch(api_server, operator)
    eventually(lambda: condition(api_server, "Stalled") is None)
    assert "ownerReferences" in api_server.get(kind, name)["metadata"]


WAITING = [
    pytest.param(
        "ImagePullBackOff", "registry says no", "ImagePullFailed", id="an image that is not there"
    ),
    pytest.param(
        "CreateContainerConfigError", 'secret "s3" not found', "SecretNotFound", id="no secret"
    ),
]


@pytest.mark.parametrize(("kubelet", "message", "reason"), WAITING)
def test_what_the_kubelet_says_is_in_the_status(operator, api_server, kubelet, message, reason):
    api_server.apply(manifest())
    run_pod(api_server, candidate(api_server))

    waiting = {"state": {"waiting": {"reason": kubelet, "message": message}}}
    api_server.patch_status("pod", "ranker-0", {"containerStatuses": [RUNNING | waiting]})

    eventually(lambda: condition(api_server, "Ready")["reason"] == reason)
    assert f"pod ranker-0: {message}" in condition(api_server, "Ready")["message"]


def test_why_a_volume_is_not_mounted_is_read_from_the_events_of_the_pod(operator, api_server):
    api_server.apply(manifest())
    run_pod(api_server, candidate(api_server))
    uid = api_server.get("pod", "ranker-0")["metadata"]["uid"]
    about = {"kind": "Pod", "name": "ranker-0", "namespace": api_server.namespace, "uid": uid}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "ranker-0.1"},
        "involvedObject": about,
        "type": "Warning",
        "reason": "FailedMount",
        "message": "MountVolume.SetUp failed: no route to the file server",
    }

    api_server.apply(event)
    creating = {"state": {"waiting": {"reason": "ContainerCreating"}}}
    began = {"startTime": "2026-01-01T00:00:00Z", "containerStatuses": [RUNNING | creating]}
    api_server.patch_status("pod", "ranker-0", began)

    eventually(lambda: condition(api_server, "Ready")["reason"] == "MountFailed")
    assert "no route to the file server" in condition(api_server, "Ready")["message"]


def test_what_the_scheduler_says_is_in_the_status(operator, api_server):
    api_server.apply(manifest())
    run_pod(api_server, candidate(api_server))
    unscheduled = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
    }

    api_server.patch_status("pod", "ranker-0", {"conditions": [unscheduled]})

    eventually(lambda: condition(api_server, "Ready")["reason"] == "Unschedulable")
    assert "pod ranker-0: 0/3 nodes" in condition(api_server, "Ready")["message"]
    assert condition(api_server, "Reconciling")["status"] == "True"
    assert condition(api_server, "Stalled") is None


def test_a_server_that_does_not_answer_is_told_from_one_that_does_not_run(operator, api_server):
    # An address of the loopback range at which nobody listens on the server's port.
    api_server.apply(manifest())
    revision = candidate(api_server)
    run_pod(api_server, revision)

    ip = {"podIP": "127.0.9.9", "podIPs": [{"ip": "127.0.9.9"}], "phase": "Running"}
    api_server.patch_status("pod", "ranker-0", ip | {"containerStatuses": [RUNNING]})

    message = "Starting: pod ranker-0: the server does not answer yet"
    eventually(lambda: status_of(api_server)["revisions"][0].get("message") == message)


def test_the_words_of_a_server_that_is_not_ready_reach_the_status(operator, api_server, server):
    api_server.apply(manifest())
    run_pod(api_server, candidate(api_server))

    ip = {"podIP": server, "podIPs": [{"ip": server}], "phase": "Running"}
    api_server.patch_status("pod", "ranker-0", ip | {"containerStatuses": [RUNNING]})

    eventually(lambda: condition(api_server, "Ready")["reason"] == "VersionNotFound")
    message = "pod ranker-0: version 1 is not under /mnt/models/ranker; found 2, 3"
    assert message in condition(api_server, "Ready")["message"]
    assert condition(api_server, "Available")["status"] == "False"


@pytest.fixture
def server():
    """The address of a model-server, as far as /readyz goes, that has not found its version."""
    model = {
        "name": "ranker",
        "ready": False,
        "reason": "VersionNotFound",
        "message": "version 1 is not under /mnt/models/ranker; found 2, 3",
    }
    body = json.dumps({"ready": False, "models": [model]}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Say nothing."""

    address = "127.0.77.8"
    with http.server.ThreadingHTTPServer((address, 8501), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield address
        listening.shutdown()
        thread.join()
