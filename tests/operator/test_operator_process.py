"""The operator beside a real API server; the tests play the controllers of Kubernetes."""

import json

import pytest

from api_server import eventually
from ranker import candidate, condition, is_ready, make_ready, manifest, serve, status_of, touch

pytestmark = pytest.mark.api

MANAGED_BY = "app.kubernetes.io/managed-by"


def test_a_manifest_becomes_pods_and_a_service_owned_by_it(operator, api_server):
    api_server.apply(manifest())
    name = candidate(api_server)

    uid = api_server.get("md", "ranker")["metadata"]["uid"]
    children = [
        api_server.get("deployment", name),
        api_server.get("controllerrevision", name),
        eventually(lambda: api_server.get("service", "ranker")),
        api_server.get("networkpolicy", "ranker-model-server"),
    ]
    owners = [child["metadata"]["ownerReferences"] for child in children]
    assert [(owner["uid"], owner["controller"]) for [owner] in owners] == [(uid, True)] * 4
    managers = {child["metadata"]["managedFields"][0]["manager"] for child in children}
    assert managers == {"modelfleet"}


def test_the_object_itself_is_the_users(operator, api_server):
    serve(api_server)

    metadata = api_server.get("md", "ranker")["metadata"]
    assert "finalizers" not in metadata
    assert set(metadata["annotations"]) == {"kubectl.kubernetes.io/last-applied-configuration"}
    operators = [item for item in metadata["managedFields"] if item["manager"] == "modelfleet"]
    assert [item["subresource"] for item in operators] == ["status"]


def test_a_settled_object_costs_no_request(operator, api_server, control_plane):
    serve(
        api_server,
        serving={
            "args": ["--x=1"],
            "env": [
                {"name": "A", "value": ""},
                {"name": "B", "value": "b"},
                {
                    "name": "C",
                    "valueFrom": {
                        "resourceFieldRef": {"resource": "limits.cpu", "containerName": ""}
                    },
                },
                {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
            "resources": {"requests": {"cpu": "0.5"}, "limits": {"cpu": 1, "memory": "1024Mi"}},
        },
    )
    touch(api_server, operator)
    before = operator.requests()

    touch(api_server, operator)
    touch(api_server, operator)

    assert operator.requests() == before
    written = {item.resource for item in writes(control_plane, api_server.namespace)[-1:]}
    assert written <= {"events", "modeldeployments/status"}


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
TERM = {"matchExpressions": [{"key": "pool", "operator": "Exists", "values": []}]}
NEAR = {
    "topologyKey": "kubernetes.io/hostname",
    "labelSelector": {"matchLabels": {"app": "x", "tier": ""}, "matchExpressions": []},
    "matchLabelKeys": ["pod-template-hash"],
    "namespaces": [],
    "namespaceSelector": {},
}
APART = {"maxSkew": 1, "topologyKey": "zone"}
PLACED_BY_ALL_MEANS = {
    "accelerator": {"resource": "nvidia.com/gpu", "product": "NVIDIA-A100-SXM4-80GB"},
    "scheduling": {
        "nodeSelector": {"pool": "gpu", "empty": ""},
        "tolerations": [{"key": "a", "value": "b"}, {"operator": "Exists", "value": ""}],
        "affinity": {
            "nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [TERM]}},
            "podAffinity": {REQUIRED: [NEAR]},
            "podAntiAffinity": {
                PREFERRED: [{"weight": 1, "podAffinityTerm": NEAR}],
                REQUIRED: [],
            },
        },
        "topologySpreadConstraints": [
            APART | {"whenUnsatisfiable": "ScheduleAnyway"},
            APART | {"whenUnsatisfiable": "DoNotSchedule", "minDomains": 2},
        ],
        "priorityClassName": "high",
        "schedulerName": "other",
        "runtimeClassName": "nvidia",
        "serviceAccountName": "models",
        "imagePullSecrets": [{"name": "b"}, {"name": "a"}],
    },
}


def test_an_object_with_all_of_scheduling_settles_as_well(operator, api_server):
    serve(api_server, **PLACED_BY_ALL_MEANS)
    touch(api_server, operator)
    before = operator.requests()

    touch(api_server, operator)

    assert operator.requests() == before


def test_creation_and_version_change_take_few_writes(operator, api_server, control_plane):
    first = serve(api_server, replicas=2)
    touch(api_server, operator)
    created = writes(control_plane, api_server.namespace)
    api_server.apply(manifest(model={"version": 2}, replicas=2))
    make_ready(api_server, candidate(api_server), 2)
    eventually(lambda: first not in api_server.names("deployments"))
    eventually(lambda: is_ready(api_server))

    touch(api_server, operator)
    changed = writes(control_plane, api_server.namespace)[len(created) :]
    assert len(created) <= 10, created
    assert len(changed) <= 8, changed


def writes(control_plane, namespace):
    """How often the operator wrote in a namespace, by the API server's own audit log."""
    all_writes = control_plane.writes()
    ours = [item for item in all_writes if item.agent.startswith("modelfleet-operator")]
    return [item for item in ours if item.namespace == namespace]


def test_the_old_version_serves_until_the_new_one_is_ready_and_then_goes(operator, api_server):
    old = serve(api_server)

    api_server.apply(manifest(model={"version": 2}))
    new = candidate(api_server)

    assert sorted(api_server.names("deployments")) == sorted([old, new])
    assert selected(api_server) == old
    make_ready(api_server, new, 1)
    eventually(lambda: api_server.names("deployments") == [new])
    assert selected(api_server) == new
    eventually(lambda: is_ready(api_server))
    assert status_of(api_server)["stable"] == {"revision": new, "version": 2}


def selected(api):
    return api.get("service", "ranker")["spec"]["selector"]["modelfleet.dev/revision"]


def test_events_tell_what_happened_and_nothing_more(operator, api_server):
    serve(api_server)

    eventually(lambda: "RevisionServing" in reasons(api_server))
    assert reasons(api_server) == ["RevisionServing"]


def reasons(api):
    return [event["reason"] for event in api.all("events.events.k8s.io")]


@pytest.mark.parametrize("kind", ["deployment", "service", "controllerrevision", "networkpolicy"])
def test_a_child_deleted_by_hand_comes_back(operator, api_server, kind):
    serve(api_server)
    before = api_server.all(kind)[0]["metadata"]

    api_server.delete(kind, before["name"])

    eventually(lambda: api_server.get(kind, before["name"])["metadata"]["uid"] != before["uid"])


def test_foreign_edits_of_owned_fields_are_put_right_and_others_left(operator, api_server):
    name = serve(api_server)

    api_server.patch("deployment", name, {"spec": {"replicas": 5, "minReadySeconds": 7}})
    api_server.patch("service", "ranker", {"spec": {"selector": {"app": "other"}}})
    api_server.run("annotate", "deployment", name, "team=search")

    eventually(lambda: api_server.get("deployment", name)["spec"]["replicas"] == 1)
    eventually(lambda: "app" not in api_server.get("service", "ranker")["spec"]["selector"])
    deployment = api_server.get("deployment", name)
    assert deployment["spec"]["minReadySeconds"] == 7
    assert deployment["metadata"]["annotations"]["team"] == "search"


def test_a_child_whose_label_was_taken_is_found_and_labelled_again(operator, api_server):
    name = serve(api_server)
    uid = api_server.get("deployment", name)["metadata"]["uid"]

    api_server.run("label", "deployment", name, f"{MANAGED_BY}-")

    eventually(lambda: MANAGED_BY in api_server.get("deployment", name)["metadata"]["labels"])
    assert api_server.get("deployment", name)["metadata"]["uid"] == uid


def test_a_folder_of_the_node_is_refused_by_this_operator(operator, api_server):
    api_server.apply(manifest(model={"uri": "file:///srv/models"}))

    eventually(lambda: condition(api_server, "Stalled"))
    assert condition(api_server, "Stalled")["reason"] == "InvalidSpec"
    assert "spec.model.uri: file:// is switched off" in condition(api_server, "Ready")["message"]
    assert api_server.names("deployments") == []
    assert status_of(api_server)["observedGeneration"] == 1


def test_many_edits_in_a_row_end_with_the_last_one(operator, api_server):
    serve(api_server)

    for version in range(2, 12):
        api_server.apply(manifest(model={"version": version}))
    eventually(lambda: status_of(api_server).get("candidate", {}).get("version") == 11)

    eventually(lambda: len(api_server.names("deployments")) == 2)
    assert selected(api_server) == status_of(api_server)["stable"]["revision"]


def test_a_suspended_object_is_left_alone(operator, api_server):
    name = serve(api_server)
    api_server.patch("md", "ranker", {"spec": {"suspend": True}})
    eventually(lambda: condition(api_server, "Paused"))

    api_server.patch("deployment", name, {"spec": {"replicas": 0}})
    touch(api_server, operator)

    assert api_server.get("deployment", name)["spec"]["replicas"] == 0


def test_scaling_reaches_the_pods_and_the_scale_subresource(operator, api_server):
    name = serve(api_server)

    api_server.run("scale", "md/ranker", "--replicas=3")

    eventually(lambda: api_server.get("deployment", name)["spec"]["replicas"] == 3)
    eventually(lambda: status_of(api_server)["replicas"] == 3)
    assert f"modelfleet.dev/revision={name}" in status_of(api_server)["selector"]


def test_metrics_count_objects_by_reason_and_changes_by_phase(operator, api_server):
    stable = serve(api_server)
    api_server.apply(manifest(model={"version": 2}))
    candidate(api_server)

    eventually(lambda: operator.samples("modelfleet_changes").get('{phase="Surging"}', 0) >= 1)
    assert operator.samples("modelfleet_deployments")['{reason="Progressing"}'] >= 1
    assert sum(operator.samples("modelfleet_queue_wait_seconds_count").values()) >= 1
    seen = operator.samples("modelfleet_api_request_duration_seconds_count")
    assert seen['{verb="PATCH"}'] >= 1
    labels = f'modeldeployment="ranker",namespace="{api_server.namespace}",revision="{stable}"'
    versions = operator.samples("modelfleet_version")
    assert versions[f'{{{labels},role="stable"}}'] == 1


def test_each_line_about_an_object_names_it(operator, api_server):
    name = serve(api_server)

    lines = operator.log.read_text().splitlines()
    ours = [line for line in lines if f" INFO {api_server.namespace}/ranker " in line]
    assert [line.partition(" applied ")[2] for line in ours if " applied " in line] == [
        f"ControllerRevision {name}",
        "NetworkPolicy ranker-model-server",
        f"Deployment {name}",
        "Service ranker",
    ]


def test_a_log_of_json_has_one_object_a_line(modelfleet_api, api_server, start_operator):
    process = start_operator(
        modelfleet_api.kubeconfig,
        MODELFLEET_NAMESPACES=api_server.namespace,
        MODELFLEET_LOG_FORMAT="json",
    )
    process.port()

    lines = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert {"time", "level", "logger", "message"} <= set(lines[0])


def test_health_readiness_and_metrics_are_served(operator):
    assert operator.get("/healthz") == "ok\n"
    assert operator.get("/readyz") == "ok\n"
    assert "modelfleet_reconcile_duration_seconds_bucket" in operator.get("/metrics")


def test_a_restart_with_existing_objects_writes_nothing(operator, api_server, start_operator):
    serve(api_server)
    touch(api_server, operator)

    second = start_operator(
        api_server.kubeconfig,
        MODELFLEET_NAMESPACES=api_server.namespace,
        MODELFLEET_SERVER_IMAGE="modelfleet/server:newer",
    )
    eventually(lambda: second.passes() >= 1)

    assert [labels for labels in second.requests() if 'verb="GET"' not in labels] == []
    assert second.stop() == 0


def test_one_namespace_alone_is_served_where_that_is_set(
    modelfleet_api, new_namespace, start_operator
):
    served, other = new_namespace(), new_namespace()
    process = start_operator(modelfleet_api.kubeconfig, MODELFLEET_NAMESPACES=served.namespace)
    other.apply(manifest())
    served.apply(manifest())

    seen = eventually(lambda: process.samples("modelfleet_deployments"))

    assert seen == {'{reason="Progressing"}': 1.0}


def test_a_wrong_setting_is_named(start_operator, tmp_path):
    process = start_operator(tmp_path / "none", MODELFLEET_SERVER_IMAGE="")

    assert process.process.wait(180) == 2
    assert "MODELFLEET_SERVER_IMAGE" in process.log.read_text()
