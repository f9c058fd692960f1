"""An arm whose objects the API server will not have holds up neither the main model nor others."""

import pytest
import yaml

from api_server import Refused, eventually
from simulated_world import manifest

pytestmark = pytest.mark.api

A_DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "labels": {"modelfleet.dev/arm": "shadow"}},
    "spec": {
        "selector": {"matchLabels": {"a": "a"}},
        "template": {
            "metadata": {"labels": {"a": "a"}},
            "spec": {"containers": [{"name": "a", "image": "a"}]},
        },
    },
}
NO_ARMS = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  failurePolicy: Fail
  matchConditions:
    - {{name: ours, expression: "has(object.metadata.labels)"}}
  matchConstraints:
    namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {namespace}}}}}
    resourceRules:
      - {{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}}
  validations:
    - expression: >-
        !('modelfleet.dev/arm' in object.metadata.labels)
        || object.metadata.labels['modelfleet.dev/arm'] == 'fine'
      message: not here
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}, validationActions: [Deny]}}
"""


@pytest.fixture
def without_arms(api_server):
    """A namespace in which no Deployment of the arms `refused` and `shadow` can be made."""
    name = f"no-arms-{api_server.namespace}"
    text = NO_ARMS.format(name=name, namespace=api_server.namespace)
    api_server.apply(*yaml.safe_load_all(text))

    def is_in_force():
        try:
            api_server.run(
                *("create", "-f", "-", "--dry-run=server"), stdin=yaml.safe_dump(A_DEPLOYMENT)
            )
        except Refused as refused:
            return "not here" in str(refused)
        return False

    eventually(is_in_force)
    yield api_server
    api_server.run("delete", "validatingadmissionpolicybinding", name, "--ignore-not-found")


@pytest.fixture
def operator(modelfleet_api, start_operator):
    process = start_operator(
        modelfleet_api.kubeconfig,
        MODELFLEET_ROUTER_IMAGE="modelfleet/router:test",
        MODELFLEET_ROUTER_ROLE="ClusterRole/view",
    )
    process.port()
    return process


def arms_with_pods(api):
    deployments = [item["metadata"] for item in api.all("deployments")]
    ours = [item for item in deployments if "modelfleet.dev/deployment" in item["labels"]]
    return {item["labels"].get("modelfleet.dev/arm", ""): item["name"] for item in ours}


def test_an_arm_that_is_refused_holds_up_nothing_else(operator, without_arms):
    api = without_arms
    model = {"version": 2}
    body = manifest(
        variants=[{"name": name, "model": model, "weight": 10} for name in ("refused", "fine")],
        shadow={"model": model, "percent": 10},
    )
    api.apply(body)
    eventually(lambda: arms_with_pods(api).keys() == {"", "fine"})
    made = arms_with_pods(api)
    for name in made.values():
        ready = {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1}
        api.patch_status("deployment", name, ready)

    def status():
        return api.get("md", "ranker")["status"]

    shares = eventually(
        lambda: (
            [item for item in status()["traffic"] if item.get("wanted") == 90]
            and {item["revision"]: item["wanted"] for item in status()["traffic"]}
        )
    )
    ready = next(item for item in status()["conditions"] if item["type"] == "Ready")

    assert {shares[made[""]], shares[made["fine"]]} == {90, 10}
    assert status()["stable"]["revision"] == made[""]
    assert ready["reason"] != "Refused"
