"""PodMonitors of the chart find the pods that there are, and do what the documented jobs do."""

import re

import pytest

from helm import HelmFailed, rendered
from model_operator.domain.wish.spec import parse
from model_operator.render.pod import pod_template
from model_operator.render.router import router_objects
from model_operator.settings import Role, RouterSettings
from monitoring.documented import scrape_jobs
from simulated_world import model_deployment

ON = "metrics.podMonitors.enabled=true"
NAMES = {
    "model-operator": "modelfleet-operator",
    "model-server": "modelfleet-operator-servers",
    "model-router": "modelfleet-operator-routers",
}
JOBS = {job["job_name"]: job for job in scrape_jobs()}


def monitors(*values):
    found = [item for item in rendered(*values) if item["kind"] == "PodMonitor"]
    return {item["metadata"]["name"]: item for item in found}


def pods():
    """The template of each kind of pod."""
    [operator] = [item for item in rendered() if item["kind"] == "Deployment"]
    objects = router_objects("shop", RouterSettings("router:1", Role("Role", "router")))
    [router] = [item for item in objects if item["kind"] == "Deployment"]
    return {
        "model-operator": operator["spec"]["template"],
        "model-server": pod_template(parse(model_deployment()), "ranker-5f7c9", "server:1"),
        "model-router": router["spec"]["template"],
    }


def test_there_are_none_without_a_switch():
    assert monitors() == {}


def test_there_is_one_for_each_kind_of_pod():
    assert monitors(ON).keys() == set(NAMES.values())


@pytest.mark.parametrize("kind", NAMES)
def test_a_monitor_finds_its_pods_and_their_port(kind):
    spec = monitors(ON)[NAMES[kind]]["spec"]
    selected, [endpoint] = spec["selector"]["matchLabels"], spec["podMetricsEndpoints"]

    found = {
        name
        for name, pod in pods().items()
        if selected.items() <= pod["metadata"]["labels"].items()
    }

    assert found == {kind}
    [container] = pods()[kind]["spec"]["containers"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}


@pytest.mark.parametrize("kind", NAMES)
def test_a_monitor_does_what_the_documented_job_does(kind):
    [endpoint] = monitors(ON)[NAMES[kind]]["spec"]["podMetricsEndpoints"]
    job = JOBS[kind]
    first, port, *rest = job["relabel_configs"]

    assert endpoint["path"] == job.get("metrics_path", "/metrics")
    assert endpoint.get("honorLabels", False) == job.get("honor_labels", False)
    assert (first["regex"], port["regex"]) == (kind, endpoint["port"])
    # The Prometheus Operator adds the labels of every pod itself.
    own = [item for item in rest if item["target_label"] not in {"namespace", "pod"}]
    assert [snake(item) for item in endpoint.get("relabelings", [])] == own
    changed = [snake(item) for item in endpoint.get("metricRelabelings", [])]
    assert changed == job.get("metric_relabel_configs", [])


def snake(words):
    return {re.sub("([A-Z])", r"_\1", key).lower(): value for key, value in words.items()}


def test_models_are_watched_in_all_namespaces_or_in_those_of_the_list():
    everywhere = monitors(ON)[NAMES["model-server"]]["spec"]
    somewhere = monitors(ON, "watch.namespaces={shop,lab}", "rbac.aggregate=false")

    assert everywhere["namespaceSelector"] == {"any": True}
    for name in (NAMES["model-server"], NAMES["model-router"]):
        assert somewhere[name]["spec"]["namespaceSelector"] == {"matchNames": ["shop", "lab"]}


def test_a_prometheus_may_choose_them_by_label_and_look_at_its_own_pace():
    found = monitors(
        ON, "metrics.podMonitors.labels.release=kps", "metrics.podMonitors.interval=15s"
    )

    for item in found.values():
        assert item["metadata"]["labels"]["release"] == "kps"
        assert item["spec"]["podMetricsEndpoints"][0]["interval"] == "15s"


def test_an_interval_that_is_none_is_refused():
    with pytest.raises(HelmFailed, match="interval"):
        rendered(ON, "metrics.podMonitors.interval=often")
