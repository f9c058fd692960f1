"""The environment is read once, and a value that makes no sense is named."""

from pathlib import Path

import pytest

from model_operator.settings import (
    InvalidSettings,
    LogFormat,
    PrometheusSettings,
    Role,
    RouterSettings,
    Settings,
)

IMAGE = {"MODELFLEET_SERVER_IMAGE": "modelfleet/server:1"}


def test_the_image_alone_is_enough():
    assert Settings.from_environment(IMAGE) == Settings(
        server_image="modelfleet/server:1",
        namespaces=(),
        allows_node_paths=False,
        log_format=LogFormat.JSON,
        health_port=8080,
    )


def test_namespaces_are_a_list_with_commas():
    settings = Settings.from_environment(IMAGE | {"MODELFLEET_NAMESPACES": "shop, lab,,shop"})

    assert settings.namespaces == ("shop", "lab")


@pytest.mark.parametrize(
    ("resource", "image"),
    [
        pytest.param(None, "modelfleet/server:1", id="CPUs"),
        pytest.param("nvidia.com/gpu", "server:gpu", id="by vendor"),
        pytest.param("nvidia.com/mig-1g.5gb", "server:mig", id="the resource before its vendor"),
        pytest.param("amd.com/gpu", "modelfleet/server:1", id="of nobody"),
    ],
)
def test_the_image_follows_the_accelerator(resource, image):
    images = "nvidia.com=server:gpu,nvidia.com/mig-1g.5gb=server:mig,"

    settings = Settings.from_environment(IMAGE | {"MODELFLEET_ACCELERATOR_IMAGES": images})

    assert settings.image_for(resource) == image


ROUTER = {"MODELFLEET_ROUTER_IMAGE": "router:1", "MODELFLEET_ROUTER_ROLE": "ClusterRole/router"}


def test_without_an_image_there_are_no_routers():
    assert Settings.from_environment(IMAGE).router is None


def test_routers_have_two_pods_unless_told_otherwise():
    three = ROUTER | {"MODELFLEET_ROUTER_REPLICAS": "3"}
    role = Role("ClusterRole", "router")

    assert Settings.from_environment(IMAGE | ROUTER).router == RouterSettings("router:1", role, 2)
    assert Settings.from_environment(IMAGE | three).router == RouterSettings("router:1", role, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODELFLEET_ROUTER_ROLE", ""),
        ("MODELFLEET_ROUTER_ROLE", "router"),
        ("MODELFLEET_ROUTER_ROLE", "Deployment/router"),
        ("MODELFLEET_ROUTER_REPLICAS", "0"),
        ("MODELFLEET_ROUTER_REPLICAS", "two"),
        ("MODELFLEET_ROUTER_LOGS_REQUESTS", "perhaps"),
        ("MODELFLEET_ROUTER_RESOURCES", "{"),
        ("MODELFLEET_ROUTER_RESOURCES", '{"cpu": 1}'),
    ],
)
def test_a_setting_of_routers_that_makes_no_sense_is_named(name, value):
    with pytest.raises(InvalidSettings, match=name):
        Settings.from_environment(IMAGE | ROUTER | {name: value})


PROMETHEUS = {"MODELFLEET_PROMETHEUS_URL": "https://metrics.example:9443/prometheus/"}


def test_without_an_address_nobody_is_asked():
    assert Settings.from_environment(IMAGE).prometheus is None


def test_a_prometheus_is_asked_as_its_administrator_wants():
    chosen = PROMETHEUS | {
        "MODELFLEET_PROMETHEUS_CA_FILE": "/ca.crt",
        "MODELFLEET_PROMETHEUS_TOKEN_FILE": "/token",
        "MODELFLEET_PROMETHEUS_NAMESPACE_PARAMETER": "namespace",
        "MODELFLEET_PROMETHEUS_TIMEOUT_SECONDS": "2.5",
    }

    assert Settings.from_environment(IMAGE | chosen).prometheus == PrometheusSettings(
        "https://metrics.example:9443/prometheus", Path("/ca.crt"), Path("/token"), "namespace", 2.5
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODELFLEET_PROMETHEUS_URL", "metrics.example:9090"),
        ("MODELFLEET_PROMETHEUS_URL", "file:///etc"),
        ("MODELFLEET_PROMETHEUS_URL", "http://"),
        ("MODELFLEET_PROMETHEUS_URL", "http://user:s3cret@metrics.example"),
        ("MODELFLEET_PROMETHEUS_URL", "http://metrics.example/?s3cret=1"),
        ("MODELFLEET_PROMETHEUS_URL", "http://metrics.example:port"),
        ("MODELFLEET_PROMETHEUS_URL", "http://[::1"),
        ("MODELFLEET_PROMETHEUS_CA_FILE", "ca.crt"),
        ("MODELFLEET_PROMETHEUS_TOKEN_FILE", "token"),
        ("MODELFLEET_PROMETHEUS_NAMESPACE_PARAMETER", "query"),
        ("MODELFLEET_PROMETHEUS_NAMESPACE_PARAMETER", "a&b"),
        ("MODELFLEET_PROMETHEUS_TIMEOUT_SECONDS", "0"),
        ("MODELFLEET_PROMETHEUS_TIMEOUT_SECONDS", "nan"),
        ("MODELFLEET_PROMETHEUS_TIMEOUT_SECONDS", "soon"),
    ],
)
def test_a_setting_of_prometheus_that_makes_no_sense_is_named_and_tells_no_secret(name, value):
    with pytest.raises(InvalidSettings, match=name) as refusal:
        Settings.from_environment(IMAGE | PROMETHEUS | {name: value})

    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODELFLEET_ACCELERATOR_IMAGES", "server:gpu"),
        ("MODELFLEET_ACCELERATOR_IMAGES", "nvidia.com="),
        ("MODELFLEET_SERVER_IMAGE", " "),
        ("MODELFLEET_NAMESPACES", "Shop"),
        ("MODELFLEET_ALLOW_NODE_PATHS", "perhaps"),
        ("MODELFLEET_LOG_FORMAT", "xml"),
        ("MODELFLEET_HEALTH_PORT", "http"),
        ("MODELFLEET_HEALTH_PORT", "70000"),
        ("MODELFLEET_LEASE", "modelfleet"),
        ("MODELFLEET_LEASE", "system/Modelfleet"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(name, value):
    with pytest.raises(InvalidSettings, match=name):
        Settings.from_environment(IMAGE | {name: value})
