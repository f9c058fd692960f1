"""The topology of a group, as a user gives it."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.placement.topology import Mode, Topology, parse_topology
from model_operator.domain.wish.revision import user_input
from model_operator.domain.wish.spec import parse
from simulated_world import model_deployment

PATH = "spec.sharding.topology"


@pytest.mark.parametrize("mode", Mode)
def test_a_label_and_a_mode(mode):
    given = {"key": "cloud.google.com/gke-nodepool", "mode": mode.value}

    assert parse_topology(given, PATH) == Topology("cloud.google.com/gke-nodepool", mode)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param("rack", "topology: give a key", id="no mapping"),
        pytest.param({"mode": "Pack"}, r"topology\.key: None cannot", id="no key"),
        pytest.param({"key": "a b", "mode": "Pack"}, r"topology\.key: 'a b' cannot", id="no label"),
        pytest.param({"key": "rack"}, r"topology\.mode: use Pack, Spread, Exclusive", id="no mode"),
        pytest.param({"key": "rack", "mode": "x"}, r"topology\.mode: use", id="an unknown mode"),
    ],
)
def test_what_is_neither_is_refused_by_its_field(given, problem):
    with pytest.raises(InvalidSpec, match=problem):
        parse_topology(given, PATH)


def sharded(accelerator=None, **sharding):
    given = {"shards": 4} | sharding
    more = {"accelerator": accelerator} if accelerator else {}
    return parse(model_deployment(sharding=given, **more))


def test_where_members_stand_is_of_the_revision_and_how_they_recover_is_not():
    topology = {"key": "rack", "mode": "Pack"}

    asked = user_input(sharded(topology=topology, recovery="WholeGroup", gangScheduling="None"))

    assert asked["sharding"] == {"shards": 4, "topology": topology, "gangScheduling": "None"}
    assert user_input(sharded(gangScheduling="Gated"))["sharding"] == {"shards": 4}


SLICE = {
    "resource": "google.com/tpu",
    "tpu": {"type": "tpu-v5-lite-podslice", "topology": "4x4"},
}


def test_a_group_that_is_a_slice_recovers_as_a_whole():
    assert sharded(SLICE, recovery="WholeGroup").accelerator.tpu.hosts == 4
    with pytest.raises(InvalidSpec, match=r"^spec\.sharding\.recovery: .* use WholeGroup"):
        sharded(SLICE)


def test_an_unknown_way_to_nodes_is_refused():
    with pytest.raises(InvalidSpec, match=r"^spec\.sharding\.gangScheduling: use Gated or None"):
        sharded(gangScheduling="kueue")
