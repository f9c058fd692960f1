"""What a record becomes in Envoy's words, and what changes when the record does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from model_router.record.endpoints import Endpoint
from model_router.record.traffic import Share, TrafficRecord
from model_router.resources.listeners import Listening
from model_router.resources.messages import Kind
from model_router.resources.model import model_resources

RECORD = TrafficRecord(
    "m", 20000, 20001, timedelta(seconds=30), (Share("m-a", 90), Share("m-b", 10))
)
PODS = {"m-a": (Endpoint("10.0.0.1", 8500, 8501), Endpoint("10.0.0.2", 8500, 8501))}
LISTENING = Listening("0.0.0.0", timedelta(seconds=600), access_log=False)
MESSAGES = {
    Kind.CLUSTER: cluster_pb2.Cluster,
    Kind.ENDPOINTS: endpoint_pb2.ClusterLoadAssignment,
    Kind.ROUTE: route_pb2.RouteConfiguration,
    Kind.LISTENER: listener_pb2.Listener,
}


def read(resources, kind, name):
    """One resource as the JSON that Envoy's documentation uses."""
    message = MESSAGES[kind]()
    assert resources.of(kind)[name].body.Unpack(message)
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def versions(resources, kind):
    return {name: resource.version for name, resource in resources.of(kind).items()}


def route(resources, name):
    return read(resources, Kind.ROUTE, name)["virtual_hosts"][0]["routes"][0]["route"]


@pytest.fixture
def resources():
    return model_resources(RECORD, PODS, LISTENING)


def test_a_model_has_a_cluster_for_each_revision_and_protocol(resources):
    names = {"m/m-a/grpc", "m/m-a/rest", "m/m-b/grpc", "m/m-b/rest"}

    assert set(resources.of(Kind.CLUSTER)) == names
    assert set(resources.of(Kind.ENDPOINTS)) == names
    assert set(resources.of(Kind.ROUTE)) == {"m/grpc", "m/rest"}
    assert set(resources.of(Kind.LISTENER)) == {"m/grpc/20000", "m/rest/20001"}


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_both_protocols_have_the_split_of_the_record_in_its_order(resources, protocol):
    clusters = route(resources, f"m/{protocol}")["weighted_clusters"]["clusters"]

    assert [(cluster["name"], cluster["weight"]) for cluster in clusters] == [
        (f"m/m-a/{protocol}", 90),
        (f"m/m-b/{protocol}", 10),
    ]


@pytest.mark.parametrize(("protocol", "port"), [("grpc", 8500), ("rest", 8501)])
def test_endpoints_carry_the_port_of_the_protocol(resources, protocol, port):
    found = read(resources, Kind.ENDPOINTS, f"m/m-a/{protocol}")["endpoints"][0]["lb_endpoints"]

    assert [host["endpoint"]["address"]["socket_address"] for host in found] == [
        {"address": "10.0.0.1", "port_value": port},
        {"address": "10.0.0.2", "port_value": port},
    ]


def test_a_revision_without_pods_has_an_empty_answer_and_not_none(resources):
    assert read(resources, Kind.ENDPOINTS, "m/m-b/rest") == {"cluster_name": "m/m-b/rest"}


def test_a_grpc_request_ends_by_deadline_and_not_by_the_timeout_of_http(resources):
    assert route(resources, "m/grpc")["timeout"] == "0s"
    assert route(resources, "m/grpc")["max_stream_duration"] == {
        "max_stream_duration": "30s",
        "grpc_timeout_header_max": "30s",
    }
    assert route(resources, "m/rest")["timeout"] == "30s"


def test_only_what_was_never_processed_is_tried_again(resources):
    policy = route(resources, "m/rest")["retry_policy"]

    conditions = "connect-failure,refused-stream,reset-before-request,retriable-headers"
    assert policy["retry_on"] == conditions
    [header] = policy["retriable_headers"]
    assert header["name"] == "x-modelfleet-retry"


@given(st.integers(0, 100))
def test_a_change_of_weights_changes_the_routes_and_nothing_else(weight):
    before = model_resources(RECORD, PODS, LISTENING)
    split = (Share("m-a", weight), Share("m-b", 100 - weight))

    after = model_resources(replace(RECORD, split=split), PODS, LISTENING)

    assert versions(after, Kind.CLUSTER) == versions(before, Kind.CLUSTER)
    assert versions(after, Kind.ENDPOINTS) == versions(before, Kind.ENDPOINTS)
    assert versions(after, Kind.LISTENER) == versions(before, Kind.LISTENER)
    assert (versions(after, Kind.ROUTE) == versions(before, Kind.ROUTE)) is (weight == 90)


def test_a_change_of_pods_changes_the_endpoints_and_nothing_else(resources):
    after = model_resources(RECORD, {}, LISTENING)

    assert versions(after, Kind.CLUSTER) == versions(resources, Kind.CLUSTER)
    assert versions(after, Kind.ROUTE) == versions(resources, Kind.ROUTE)
    assert versions(after, Kind.LISTENER) == versions(resources, Kind.LISTENER)
    assert versions(after, Kind.ENDPOINTS) != versions(resources, Kind.ENDPOINTS)


@given(
    st.lists(
        st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8})?", fullmatch=True), min_size=1, unique=True
    )
)
def test_every_cluster_of_a_route_is_there_with_its_endpoints(revisions):
    shares = tuple(Share(revision, 0) for revision in revisions)
    resources = model_resources(replace(RECORD, split=shares), PODS, LISTENING)

    routed = {
        cluster["name"]
        for name in resources.of(Kind.ROUTE)
        for cluster in route(resources, name)["weighted_clusters"]["clusters"]
    }

    assert routed == set(resources.of(Kind.CLUSTER)) == set(resources.of(Kind.ENDPOINTS))
    assert not [name for kind in Kind for name in resources.of(kind) if "." in name]
