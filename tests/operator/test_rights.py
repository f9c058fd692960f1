"""The operator does its work with the rights that the chart gives it, and has no others."""

import base64
import json

import pytest
import yaml

from api_server import Refused, eventually, kubeconfig_of
from simulated_world import manifest

pytestmark = pytest.mark.api
ROUTER = "modelfleet-router"
OF_A_ROUTER = ["app.kubernetes.io/name=model-router", "app.kubernetes.io/managed-by=modelfleet"]


@pytest.fixture
def start_with_rights(start_operator, tmp_path):
    """Starts operators as the chart's account, with its Lease."""

    def start(home, account, **environment):
        lease = f"{home.namespace}/{account}"
        kubeconfig = kubeconfig_of(home, account, tmp_path)
        return start_operator(kubeconfig, MODELFLEET_LEASE=lease, **environment)

    return start


@pytest.fixture
def started_in_one_namespace(installed, new_namespace, start_with_rights):
    """A namespace, and an operator that was installed for it alone."""
    api = new_namespace()
    home, account = installed(f"watch.namespaces={{{api.namespace}}}", "rbac.aggregate=false")
    return api, start_with_rights(home, account, MODELFLEET_NAMESPACES=api.namespace)


def routers_of(account):
    return {
        "MODELFLEET_ROUTER_IMAGE": "modelfleet/router:test",
        "MODELFLEET_ROUTER_ROLE": f"ClusterRole/{account}-router",
    }


def live_through_a_version_change(api):
    """From creation to the end of the first version, by way of everything the operator does."""
    api.apply(manifest())
    first = become_stable(api)
    api.apply(manifest(model={"version": 2}))
    second = become_stable(api)
    eventually(lambda: api.names("deployments") == [second])
    assert first != second


def a_pod_without_a_node(api, message):
    """A pod of the ModelDeployment, as the scheduler leaves it when no node fits."""
    name = eventually(lambda: api.get("md", "ranker")["status"].get("candidate"))["revision"]
    template = eventually(lambda: api.get("deployment", name))["spec"]["template"]
    metadata = {"name": "p", "labels": template["metadata"]["labels"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
    api.run("create", "-f", "-", stdin=yaml.safe_dump(pod))
    unplaced = {"type": "PodScheduled", "status": "False", "message": message}
    api.patch_status("pod", "p", {"conditions": [unplaced | {"reason": "Unschedulable"}]})


def ready_message(api):
    conditions = api.get("md", "ranker")["status"].get("conditions", [])
    return next((item["message"] for item in conditions if item["type"] == "Ready"), "")


def become_stable(api):
    name = eventually(lambda: api.get("md", "ranker")["status"].get("candidate"))["revision"]
    generation = eventually(lambda: api.get("deployment", name))["metadata"]["generation"]
    ready = {"replicas": 1, "updatedReplicas": 1, "readyReplicas": 1}
    api.patch_status("deployment", name, ready | {"observedGeneration": generation})
    eventually(lambda: api.get("md", "ranker")["status"].get("stable", {}).get("revision") == name)
    return name


def test_with_the_charts_rights_everywhere_the_operator_does_all_its_work(
    installed, new_namespace, start_with_rights
):
    home, account = installed()
    api = new_namespace()
    process = start_with_rights(home, account)

    live_through_a_version_change(api)

    assert process.stop() == 0
    assert "orbidden" not in process.log.read_text()
    posted = [event["reportingController"] for event in api.all("events.events.k8s.io")]
    assert posted.count("modelfleet.dev") == 2


def test_with_the_charts_rights_in_one_namespace_it_does_its_work_there(started_in_one_namespace):
    api, process = started_in_one_namespace

    live_through_a_version_change(api)

    assert process.stop() == 0
    assert "orbidden" not in process.log.read_text()


def test_with_rights_in_one_namespace_it_makes_groups_and_tells_nobody_their_token(
    started_in_one_namespace,
):
    api, process = started_in_one_namespace

    api.apply(manifest(sharding={"shards": 2}))
    eventually(lambda: len(api.names("statefulsets")) == 1)
    token = api.get("secret", "ranker-group-token")["data"]["token"]
    api.apply(manifest(sharding={"shards": 3}))
    eventually(lambda: len(api.names("statefulsets")) == 2)

    assert process.stop() == 0
    assert api.get("secret", "ranker-group-token")["data"]["token"] == token
    told = process.log.read_text() + json.dumps(api.get("md", "ranker"))
    assert "orbidden" not in told
    plain = base64.b64decode(token).decode()
    assert len(plain) >= 32
    assert token not in told
    assert plain not in told


def test_where_it_may_not_look_at_nodes_it_lets_groups_in_at_once(started_in_one_namespace):
    api, process = started_in_one_namespace
    api.apply(manifest(sharding={"shards": 2}, accelerator={"resource": "nvidia.com/gpu"}))
    [group] = eventually(lambda: api.all("statefulsets"))

    # No controller runs here that would.
    for member in range(2):
        template = group["spec"]["template"]
        name = f"{group['metadata']['name']}-{member}"
        metadata = {"name": name, "labels": template["metadata"]["labels"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        api.run("create", "-f", "-", stdin=yaml.safe_dump(pod))

    eventually(lambda: not any(pod["spec"].get("schedulingGates") for pod in api.all("pods")))
    assert process.stop() == 0


def test_with_rights_everywhere_it_counts_the_accelerators_of_all_nodes(
    installed, new_namespace, start_with_rights
):
    home, account = installed()
    api = new_namespace()
    process = start_with_rights(home, account)
    api.apply(manifest(accelerator={"resource": "nvidia.com/gpu"}))

    a_pod_without_a_node(api, "no node fits")

    eventually(lambda: "needs 1 nvidia.com/gpu; no node of this cluster" in ready_message(api))
    assert process.stop() == 0


def test_with_rights_in_one_namespace_the_schedulers_words_stand_alone(started_in_one_namespace):
    api, process = started_in_one_namespace
    api.apply(manifest(accelerator={"resource": "nvidia.com/gpu"}))

    a_pod_without_a_node(api, "no node fits")

    eventually(lambda: ready_message(api).endswith("ready replica; pod p: no node fits"))
    assert process.stop() == 0
    assert process.log.read_text().count("nodes may not be listed") == 1


@pytest.mark.parametrize(
    "action",
    [
        "get secrets",
        "bind clusterroles.rbac.authorization.k8s.io/cluster-admin",
        "delete pods",
        "create pods/exec",
        "patch modeldeployments.modelfleet.dev",
        "delete modeldeployments.modelfleet.dev",
        "create roles.rbac.authorization.k8s.io",
        "list namespaces",
        "watch nodes",
        "patch nodes",
        "update leases.coordination.k8s.io/of-somebody-else",
    ],
)
def test_what_it_does_not_need_it_may_not(installed, new_namespace, action):
    home, account = installed()
    user = f"system:serviceaccount:{home.namespace}:{account}"

    answer = home.run("auth", "can-i", *action.split(), f"--as={user}", check=False)

    assert answer.strip() == "no"


def test_without_routers_it_may_not_read_config_maps_either(installed):
    home, account = installed("router.enabled=false")
    user = f"system:serviceaccount:{home.namespace}:{account}"

    answer = home.run("auth", "can-i", "get", "configmaps", f"--as={user}", check=False)

    assert answer.strip() == "no"


@pytest.mark.parametrize(
    ("role", "action", "answer"),
    [
        ("view", "get", "yes"),
        ("view", "create", "no"),
        ("edit", "create", "yes"),
        ("edit", "delete", "yes"),
    ],
)
def test_users_get_roles_to_add_to_the_clusters_own(installed, role, action, answer):
    home, account = installed()
    home.run("create", "rolebinding", "user", f"--clusterrole={account}-{role}", "--user=ann")

    may = home.run("auth", "can-i", action, "md", "--as=ann", check=False)

    assert may.strip() == answer


def test_with_the_charts_rights_a_namespace_gets_a_router_and_loses_it_with_its_last_model(
    installed, new_namespace, start_with_rights
):
    home, account = installed("router.enabled=true")
    api = new_namespace()
    process = start_with_rights(home, account, **routers_of(account))

    api.apply(manifest())
    eventually(lambda: ROUTER in api.names("deployments"))
    router = f"system:serviceaccount:{api.namespace}:{ROUTER}"
    may = [
        api.run("auth", "can-i", verb, kind, f"--as={router}", check=False).strip()
        for verb, kind in (
            ("watch", "configmaps"),
            ("list", "endpointslices.discovery.k8s.io"),
            ("list", "secrets"),
            ("update", "configmaps"),
        )
    ]
    elsewhere = home.run("auth", "can-i", "list", "configmaps", f"--as={router}", check=False)
    api.delete("poddisruptionbudget", ROUTER)
    eventually(lambda: ROUTER in api.names("poddisruptionbudgets"))
    api.delete("md", "ranker")
    for kind in ("deployments", "serviceaccounts", "rolebindings", "networkpolicies"):
        eventually(lambda kind=kind: ROUTER not in api.names(kind))
    eventually(lambda: ROUTER not in api.names("poddisruptionbudgets"))

    assert may == ["yes", "yes", "no", "no"]
    assert elsewhere.strip() == "no"
    assert process.stop() == 0
    assert "orbidden" not in process.log.read_text()


def test_routers_that_are_switched_off_go_when_no_service_leads_to_them(
    installed, new_namespace, start_with_rights
):
    home, account = installed("router.enabled=true")
    api = new_namespace()
    on = start_with_rights(home, account, **routers_of(account))
    api.apply(manifest())
    revision = become_stable(api)
    eventually(lambda: service_name_label(api) == "model-router")
    api.apply(manifest(suspend=True))
    assert on.stop() == 0
    api.run("create", "deployment", "somebody", "--image=other", "--replicas=0")
    api.run("label", "deployment", "somebody", *OF_A_ROUTER)

    installed("router.enabled=false")
    off = start_with_rights(home, account)
    eventually(lambda: api.get("md", "ranker")["status"]["observedGeneration"] == 2)
    waits = ROUTER in api.names("deployments")
    api.apply(manifest())
    for kind in ("deployments", "networkpolicies", "poddisruptionbudgets"):
        eventually(lambda kind=kind: ROUTER not in api.names(kind))

    assert waits
    assert api.get("service", "ranker")["spec"]["selector"]["modelfleet.dev/revision"] == revision
    assert api.names("deployments") == sorted([revision, "somebody"])
    assert off.stop() == 0
    assert "orbidden" not in off.log.read_text()


def service_name_label(api):
    return api.get("service", "ranker")["spec"]["selector"].get("app.kubernetes.io/name")


def test_an_object_of_somebody_else_is_not_taken_for_a_router(
    modelfleet_api, new_namespace, start_operator
):
    api = new_namespace()
    api.run("create", "serviceaccount", ROUTER)
    process = start_operator(
        modelfleet_api.kubeconfig,
        MODELFLEET_NAMESPACES=api.namespace,
        MODELFLEET_ROUTER_IMAGE="modelfleet/router:test",
        MODELFLEET_ROUTER_ROLE="ClusterRole/view",
    )

    api.apply(manifest())

    eventually(lambda: "belongs to somebody else" in process.log.read_text())
    assert "labels" not in api.get("serviceaccount", ROUTER)["metadata"]
    assert ROUTER not in api.names("deployments")


def test_with_routers_the_operator_may_bind_their_role_and_no_other(installed, new_namespace):
    home, account = installed("router.enabled=true")
    api = new_namespace()
    user = f"--as=system:serviceaccount:{home.namespace}:{account}"

    api.run("create", "rolebinding", "a", f"--clusterrole={account}-router", "--user=ann", user)
    with pytest.raises(Refused, match="attempting to grant RBAC permissions not currently held"):
        api.run("create", "rolebinding", "b", "--clusterrole=cluster-admin", "--user=ann", user)
