"""What ConfigMaps and EndpointSlices say, as Kubernetes keeps them."""

from __future__ import annotations

import pytest

from model_router.record.documents import InvalidDocument
from model_router.record.endpoints import parse_endpoints
from model_router.record.objects import endpoints_text, model_of, record_text, revision_of
from router.objects import config_map, endpoint, endpoint_slice, record


def addresses(*slices):
    return [pod.address for pod in parse_endpoints(endpoints_text("m-a", slices)).endpoints]


@pytest.mark.parametrize(
    ("pods", "found"),
    [
        pytest.param([endpoint("10.0.0.1", ready=True)], ["10.0.0.1"], id="a ready pod"),
        pytest.param([endpoint("10.0.0.1")], ["10.0.0.1"], id="unknown counts as ready"),
        pytest.param([endpoint("10.0.0.1", ready=False)], [], id="a pod that is not ready"),
        pytest.param([], [], id="no pods at all"),
        pytest.param(
            [
                endpoint("10.0.0.1", ready=True),
                endpoint("10.0.0.2", ready=False, serving=True, terminating=True),
            ],
            ["10.0.0.1"],
            id="a pod that ends is left alone while another is ready",
        ),
        pytest.param(
            [
                endpoint("10.0.0.1", ready=False, serving=True, terminating=True),
                endpoint("10.0.0.2", ready=False, serving=False, terminating=True),
                endpoint("10.0.0.3", ready=False, serving=True, terminating=False),
            ],
            ["10.0.0.1"],
            id="a pod that ends but still answers is better than none",
        ),
    ],
)
def test_the_pods_that_get_requests_are_those_that_answer(pods, found):
    assert addresses(endpoint_slice("m-a", *pods)) == found


def test_the_slices_of_a_revision_are_one_set():
    one = endpoint_slice("m-a", endpoint("10.0.0.2"), endpoint("10.0.0.1"), name="one")
    two = endpoint_slice("m-a", endpoint("10.0.0.3"), endpoint("10.0.0.1"), name="two")

    assert addresses(one, two) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_pods_with_addresses_of_both_families_count_once():
    six = endpoint_slice("m-a", endpoint("fd00::1"), name="six", family="IPv6")
    four = endpoint_slice("m-a", endpoint("10.0.0.1"), name="four")

    assert addresses(six, four) == ["10.0.0.1"]
    assert addresses(six) == ["fd00::1"]


def test_a_slice_without_one_of_the_ports_is_refused():
    odd = endpoint_slice("m-a", endpoint("10.0.0.1")) | {"ports": [{"name": "grpc", "port": 1}]}

    with pytest.raises(InvalidDocument, match=r"^ports: m-a-abcde has none with the name rest$"):
        addresses(odd)


def test_a_slice_that_lost_its_label_belongs_to_nobody():
    assert revision_of(endpoint_slice("m-a")) == "m-a"
    assert revision_of({"metadata": {"name": "odd"}}) is None


def test_a_record_is_found_by_the_name_of_its_config_map():
    found = config_map(record("m", (20000, 20001), {"m-a": 100}))

    assert model_of(found) == "m"
    assert record_text(found).startswith(b'{"schema": 1')


@pytest.mark.parametrize("name", ["m", "-traffic", "m-traffic-2"])
def test_a_config_map_of_another_name_is_refused(name):
    with pytest.raises(InvalidDocument, match=r"must end in '-traffic'$"):
        model_of({"metadata": {"name": name}})


@pytest.mark.parametrize("data", [{}, {"data": None}, {"data": {"other": "{}"}}])
def test_a_config_map_without_a_record_is_refused(data):
    with pytest.raises(InvalidDocument, match=r"^data: has no 'record.json'$"):
        record_text({"metadata": {"name": "m-traffic"}} | data)
