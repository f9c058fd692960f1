"""What the chart renders, and which values it refuses."""

from dataclasses import replace
from pathlib import Path

import pytest

from helm import CHART, HelmFailed, helm, rendered
from model_operator.settings import (
    LeaseName,
    LogFormat,
    PrometheusSettings,
    Role,
    RouterSettings,
    Settings,
)

LEASE = LeaseName("modelfleet-system", "modelfleet-operator")
CRD = Path(__file__).parents[2] / "crds" / "modelfleet.dev_modeldeployments.yaml"


def of_kind(objects, kind):
    return [item for item in objects if item["kind"] == kind]


def container(*values):
    [deployment] = of_kind(rendered(*values), "Deployment")
    return deployment["spec"]["template"]["spec"]["containers"][0]


def settings(*values):
    environment = {item["name"]: item["value"] for item in container(*values)["env"]}
    return Settings.from_environment(environment)


def test_helm_has_nothing_to_find_fault_with():
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_the_crd_of_the_chart_is_the_crd():
    assert (CHART / "crds" / CRD.name).read_bytes() == CRD.read_bytes()


def test_the_images_follow_the_version_of_the_chart():
    assert container()["image"] == "modelfleet/operator:0.1.0"
    assert settings().server_image == "modelfleet/server:0.1.0"


def test_the_images_can_be_chosen():
    chosen = (
        "image.repository=localhost/modelfleet/operator",
        "image.tag=dev",
        "serverImage.repository=localhost/modelfleet/server",
        "serverImage.tag=dev",
    )

    assert container(*chosen)["image"] == "localhost/modelfleet/operator:dev"
    assert settings(*chosen).server_image == "localhost/modelfleet/server:dev"


def test_the_operator_understands_the_values_of_the_chart():
    chosen = settings(
        "watch.namespaces={shop,lab}",
        "nodePaths.allowed=true",
        "log.format=text",
        "router.enabled=false",
    )

    assert chosen == Settings(
        server_image="modelfleet/server:0.1.0",
        namespaces=("shop", "lab"),
        allows_node_paths=True,
        log_format=LogFormat.TEXT,
        health_port=8080,
        lease=LEASE,
    )


def test_the_operator_understands_the_images_for_accelerators():
    chosen = settings(
        r"serverImage.forAccelerators.nvidia\.com=server:gpu",
        r"serverImage.forAccelerators.google\.com/tpu=server:tpu",
    )

    assert chosen.accelerator_images == {"nvidia.com": "server:gpu", "google.com/tpu": "server:tpu"}


def test_without_values_all_namespaces_are_served_by_routers_and_nodes_are_closed():
    chosen = settings()

    assert chosen.router is not None
    assert chosen.router.replicas == 2
    assert replace(chosen, router=None) == Settings("modelfleet/server:0.1.0", lease=LEASE)


def test_routers_that_are_switched_off_take_the_right_to_make_them_along():
    off = "router.enabled=false"
    assert settings(off).router is None
    kinds = {word for role in of_kind(rendered(off), "ClusterRole") for word in resources_of(role)}
    assert not kinds & {"serviceaccounts", "rolebindings", "configmaps", "endpointslices"}


def test_queries_go_to_a_prometheus_with_a_ca_and_a_token_from_their_keys():
    chosen = (
        "prometheus.url=https://thanos.example",
        "prometheus.ca.configMap=authorities",
        "prometheus.ca.key=service-ca.crt",
        "prometheus.token.secret=thanos-reader",
        "prometheus.namespaceParameter=namespace",
    )
    [deployment] = of_kind(rendered(*chosen), "Deployment")
    volumes = {item.pop("name"): item for item in deployment["spec"]["template"]["spec"]["volumes"]}
    places = {item["name"]: Path(item["mountPath"]) for item in container(*chosen)["volumeMounts"]}

    assert settings(*chosen).prometheus == PrometheusSettings(
        "https://thanos.example",
        places["prometheus-ca"] / "ca.crt",
        places["prometheus-token"] / "token",
        "namespace",
    )
    assert volumes == {
        "prometheus-ca": {
            "configMap": {
                "name": "authorities",
                "items": [{"key": "service-ca.crt", "path": "ca.crt"}],
            }
        },
        "prometheus-token": {
            "secret": {"secretName": "thanos-reader", "items": [{"key": "token", "path": "token"}]}
        },
    }


def test_the_operator_can_show_prometheus_its_own_token():
    chosen = ("prometheus.url=http://p:9090", "prometheus.token.ofServiceAccount=true")

    token = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    assert settings(*chosen).prometheus == PrometheusSettings("http://p:9090", token_file=token)
    assert "volumeMounts" not in container(*chosen)


def resources_of(role):
    return [word for rule in role["rules"] for word in rule["resources"]]


@pytest.mark.parametrize(
    ("places", "kind"),
    [((), "ClusterRole"), (("watch.namespaces={shop}", "rbac.aggregate=false"), "Role")],
)
def test_routers_get_a_role_that_the_operator_may_bind(places, kind):
    name = "modelfleet-operator-router"
    values = ("router.replicas=3", "router.accessLog=true", "router.resources.requests.cpu=2")
    chosen = (*values, *places)

    roles = of_kind(rendered(*chosen), kind)

    assert settings(*chosen).router == RouterSettings(
        image="modelfleet/router:0.1.0",
        role=Role(kind, name),
        replicas=3,
        logs_requests=True,
        resources={"requests": {"cpu": 2, "memory": "192Mi"}, "limits": {"memory": "1Gi"}},
    )
    [of_routers] = [role for role in roles if role["metadata"]["name"] == name]
    assert resources_of(of_routers) == ["configmaps", "endpointslices"]
    assert {verb for rule in of_routers["rules"] for verb in rule["verbs"]} == {"list", "watch"}
    rules = [rule for role in roles for rule in role["rules"] if rule["verbs"] == ["bind"]]
    assert [(rule["resources"], rule["resourceNames"]) for rule in rules] == [
        ([f"{kind.lower()}s"], [name])
    ]


def test_the_pod_passes_the_restricted_standard():
    [deployment] = of_kind(rendered(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(pod["containers"][0]["resources"]) == {"requests", "limits"}


def test_an_upgrade_and_a_drain_leave_an_operator_at_work():
    [deployment], [budget] = (
        of_kind(rendered(), kind) for kind in ("Deployment", "PodDisruptionBudget")
    )

    assert deployment["spec"]["replicas"] == 2
    assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]


def test_a_single_operator_does_not_hold_up_a_drain():
    assert of_kind(rendered("replicas=1"), "PodDisruptionBudget") == []


def test_one_lease_alone_may_be_read_and_written():
    [role] = of_kind(rendered(), "Role")

    assert role["metadata"]["namespace"] == "modelfleet-system"
    assert role["rules"][1]["resourceNames"] == ["modelfleet-operator"]
    assert [rule["verbs"] for rule in role["rules"]] == [["create"], ["get", "update"]]


def test_with_a_list_of_namespaces_there_are_rights_in_those_only():
    objects = rendered("watch.namespaces={shop,lab}", "rbac.aggregate=false")

    assert of_kind(objects, "ClusterRole") == of_kind(objects, "ClusterRoleBinding") == []
    places = [role["metadata"]["namespace"] for role in of_kind(objects, "Role")]
    # The routers have roles of their own there.
    assert places == ["shop", "lab", "modelfleet-system", "shop", "lab"]
    bound = [item["subjects"][0]["namespace"] for item in of_kind(objects, "RoleBinding")]
    assert bound == ["modelfleet-system"] * 3


def test_a_list_of_namespaces_may_come_with_a_view_of_all_accelerators():
    objects = rendered("watch.namespaces={shop}", "watch.nodes=true", "rbac.aggregate=false")

    [role] = of_kind(objects, "ClusterRole")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list"]}]
    [binding] = of_kind(objects, "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]


def test_no_right_is_a_wildcard():
    roles = of_kind(rendered(), "ClusterRole")
    rules = [rule for role in roles for rule in role["rules"]]
    words = [word for rule in rules for words in rule.values() for word in words]

    assert "*" not in words


def test_two_releases_do_not_share_a_name():
    one, other = rendered(release="one"), rendered(release="other")

    def names(objects):
        return {(item["kind"], item["metadata"]["name"]) for item in objects}

    assert not names(one) & names(other)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        pytest.param("imagee.tag=1", "imagee", id="an unknown value"),
        pytest.param("image.tags=1", "tags", id="an unknown value inside"),
        pytest.param("image.pullPolicy=Sometimes", "pullPolicy", id="an unknown policy"),
        pytest.param("serverImage.forAccelerators.GPU=x", "forAccelerators", id="no resource"),
        pytest.param("replicas=0", "replicas", id="no operator"),
        pytest.param("log.format=xml", "format", id="an unknown format"),
        pytest.param("watch.namespaces={Shop}", "namespaces", id="no namespace's name"),
        pytest.param("nodePaths.allowed=maybe", "allowed", id="neither yes nor no"),
        pytest.param("prometheus.url=prometheus:9090", "url", id="no URL"),
        pytest.param("prometheus.url=http://me:secret@p", "url", id="a password in a URL"),
        pytest.param("prometheus.timeoutSeconds=0", "timeoutSeconds", id="no time"),
        pytest.param("serviceAccount.create=false", "serviceAccount.name", id="no account"),
    ],
)
def test_a_wrong_value_is_refused_by_name(value, field):
    with pytest.raises(HelmFailed) as refusal:
        rendered(value)

    assert field in str(refusal.value)
