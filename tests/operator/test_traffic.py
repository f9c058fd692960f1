"""What the operator writes about traffic is what the router reads, and ports never clash."""

import json
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_operator.domain.manifests import Manifest
from model_operator.domain.routing.routers import FIRST_PORT, LAST_PORT
from model_operator.domain.routing.traffic import (
    Match,
    Ports,
    Shadow,
    Share,
    Traffic,
    choose_ports,
    ports_of,
    recorded,
)
from model_operator.domain.wish.spec import Identity
from model_operator.render.traffic import entry_service, revision_service, traffic_record
from model_router.record.objects import RECORD_SELECTOR, model_of, record_text, revision_of
from model_router.record.traffic import parse_record

SCHEMA = jsonschema.Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "contracts/traffic-record.schema.json").read_text())
)
RANKER = Identity("shop", "ranker", "1", 1)
TRAFFIC = Traffic(
    ports=Ports(20002, 20003),
    split=(Share("ranker-5f7c9", 95), Share("ranker-84b2d", 5)),
    timeout_seconds=7,
    most_requests=64,
)


REVISIONS = ["ranker-5f7c9", "ranker-84b2d", "ranker-9a1c3"]
SPLITS = st.integers(0, 100).map(
    lambda weight: (Share("ranker-5f7c9", 100 - weight), Share("ranker-84b2d", weight))
)
MATCHES = st.builds(
    Match,
    st.sampled_from(["x-cohort", "x-user-id"]),
    st.text("a.[+ ]", min_size=1, max_size=5),
    st.booleans(),
    st.sampled_from(REVISIONS),
)
ANY_TRAFFIC = st.builds(
    Traffic,
    st.integers(FIRST_PORT, LAST_PORT - 1).map(lambda port: Ports(port, port + 1)),
    SPLITS,
    st.integers(1, 3600),
    st.integers(0, 1000),
    st.lists(MATCHES, max_size=3).map(tuple),
    st.sampled_from(["", "x-user-id"]),
    st.none() | st.builds(Shadow, st.just("ranker-77e01"), st.integers(0, 100)),
)


@given(ANY_TRAFFIC)
def test_the_router_reads_what_the_operator_writes(traffic):
    config_map = traffic_record(RANKER, traffic)
    record = parse_record(record_text(config_map))

    assert model_of(config_map) == record.name == "ranker"
    assert record.ports == (traffic.ports.grpc, traffic.ports.rest)
    assert record.timeout == timedelta(seconds=traffic.timeout_seconds)
    assert record.most_requests == traffic.most_requests
    assert record.sticky_header == traffic.sticky_header
    assert [asdict(share) for share in record.split] == [asdict(s) for s in traffic.split]
    assert [asdict(match) for match in record.matches] == [asdict(m) for m in traffic.matches]
    assert (record.shadow and asdict(record.shadow)) == (traffic.shadow and asdict(traffic.shadow))
    assert SCHEMA.is_valid(json.loads(record_text(config_map)))


def test_the_router_finds_the_records_and_slices_by_their_labels():
    labels = traffic_record(RANKER, TRAFFIC)["metadata"]["labels"]
    # Kubernetes copies the labels of a Service to its EndpointSlices.
    of_pods = revision_service(RANKER, "ranker-84b2d")

    assert dict(item.split("=") for item in RECORD_SELECTOR.split(",")).items() <= labels.items()
    assert revision_of(of_pods) == "ranker-84b2d"
    assert revision_of(entry_service(RANKER, TRAFFIC.ports)) is None
    assert [port["name"] for port in of_pods["spec"]["ports"]] == ["grpc", "rest"]


def test_clients_reach_the_listeners_of_their_model_alone():
    spec = entry_service(RANKER, TRAFFIC.ports)["spec"]

    assert {port["port"]: port["targetPort"] for port in spec["ports"]} == {
        8500: 20002,
        8501: 20003,
    }
    assert spec["selector"]["app.kubernetes.io/name"] == "model-router"


def test_ports_are_read_back_from_a_record():
    assert ports_of(traffic_record(RANKER, TRAFFIC)) == TRAFFIC.ports


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"data": None},
        {"data": {"record.json": "{"}},
        {"data": {"record.json": "[1]"}},
        {"data": {"record.json": '{"ports": {"grpc": 1e999, "rest": 20001}}'}},
        {"data": {"record.json": "[" * 100_000}},
    ],
    ids=["empty", "no data", "no JSON", "no mapping", "no port", "no end"],
)
def test_what_is_no_record_has_no_ports(broken: Manifest):
    assert ports_of(broken) is None
    assert recorded(broken) is None


NAMES = st.sets(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=12)


@given(NAMES)
def test_deployments_that_come_one_by_one_never_share_a_port(names):
    chosen: dict[str, Ports] = {}
    for name in sorted(names):
        chosen[name] = choose_ports(name, None, chosen)

    ports = [port for pair in chosen.values() for port in (pair.grpc, pair.rest)]
    assert len(set(ports)) == len(ports)
    assert all(FIRST_PORT <= port <= LAST_PORT for port in ports)


@given(NAMES, st.data())
def test_deployments_that_chose_the_same_come_apart_and_then_stay(names, data):
    pairs = st.integers(FIRST_PORT, FIRST_PORT + 6).map(lambda port: Ports(port, port + 1))
    chosen = {name: data.draw(pairs) for name in sorted(names)}
    for name in sorted(names):
        chosen[name] = choose_ports(name, chosen[name], others(chosen, name))

    ports = [port for pair in chosen.values() for port in (pair.grpc, pair.rest)]
    assert len(set(ports)) == len(ports)
    assert chosen == {n: choose_ports(n, chosen[n], others(chosen, n)) for n in names}


def others(chosen, name):
    return {other: ports for other, ports in chosen.items() if other != name}


def test_a_deployment_keeps_its_ports():
    assert choose_ports("b", Ports(20006, 20007), {"a": Ports(20000, 20001)}) == Ports(20006, 20007)


@pytest.mark.parametrize("odd", [Ports(80, 81), Ports(20000, 20000), Ports(29999, 30000)])
def test_ports_that_a_router_could_not_have_are_given_up(odd):
    assert choose_ports("a", odd, {}) == choose_ports("a", None, {})


def test_a_namespace_that_is_full_says_so():
    full = {str(port): Ports(port, port + 1) for port in range(FIRST_PORT, LAST_PORT, 2)}

    with pytest.raises(ValueError, match="all ports from 20000 to 29999 are taken"):
        choose_ports("one-more", None, full)
