"""The ModelDeployment `ranker` on an API server; the tests play the controllers of Kubernetes."""

from api_server import eventually
from simulated_world import manifest

RUNNING = {
    "name": "model-server",
    "image": "modelfleet/server:test",
    "imageID": "",
    "ready": False,
    "restartCount": 0,
    "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
}


def status_of(api):
    return api.get("md", "ranker")["status"]


def condition(api, type_):
    conditions = status_of(api).get("conditions", [])
    return next((item for item in conditions if item["type"] == type_), None)


def candidate(api):
    """The candidate's name, once its Deployment is there."""
    name = eventually(lambda: status_of(api).get("candidate"))["revision"]
    eventually(lambda: name in api.names("deployments"))
    return name


def make_ready(api, name, ready):
    generation = api.get("deployment", name)["metadata"]["generation"]
    counts = {"replicas": ready, "updatedReplicas": ready, "readyReplicas": ready}
    api.patch_status("deployment", name, counts | {"observedGeneration": generation})


def serve(api, **spec):
    """Apply a manifest and make its first revision serve."""
    api.apply(manifest(**spec))
    name = candidate(api)
    make_ready(api, name, spec.get("replicas", 1))
    eventually(lambda: is_ready(api))
    return name


def is_ready(api):
    ready, current = condition(api, "Ready"), api.get("md", "ranker")["metadata"]["generation"]
    return ready["status"] == "True" and status_of(api)["observedGeneration"] == current


def touch(api, operator):
    """Make the operator look again, by an edit that asks for nothing; and wait until it has."""
    before = operator.passes()
    api.run("label", "md", "ranker", "--overwrite", f"touched=at-{int(before)}")
    eventually(lambda: operator.passes() > before)


def run_pod(api, revision):
    """What the Deployment's controller would make: a pod by the revision's template."""
    template = api.get("deployment", revision)["spec"]["template"]
    metadata = template["metadata"] | {"name": "ranker-0"}
    api.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
