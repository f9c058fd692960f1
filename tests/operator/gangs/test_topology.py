"""The topology of a group, as a user gives it."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.placement.topology import Mode, Topology, parse_topology

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
