"""TPU slices that are groups: hosts and shards agree, and each member knows the others."""

import pytest

from model_operator.domain.errors import InvalidSpec
from model_operator.domain.placement.accelerator import parse_accelerator
from model_operator.domain.wish.revision import Revision, user_input
from model_operator.domain.wish.spec import identify, parse
from model_operator.render.groups.group import group_policy
from simulated_world import model_deployment


def tpu(topology, type_="tpu-v5-lite-podslice", **more):
    return {"resource": "google.com/tpu", "tpu": {"type": type_, "topology": topology}} | more


@pytest.mark.parametrize(
    ("accelerator", "shards", "hosts_and_chips"),
    [
        pytest.param(tpu("4x4"), 4, (4, 4), id="a shard for each host"),
        pytest.param(tpu("4x4", count=4), 4, (4, 4), id="with the chips of a host"),
        pytest.param(tpu("2x4"), 2, (2, 4), id="of two with one name that with as many hosts"),
        pytest.param(tpu("2x4", count=8), 2, (1, 8), id="each shard a slice by its chips"),
        pytest.param(tpu("2x4"), 3, (1, 8), id="each shard a slice by their number"),
        pytest.param(tpu("2x4"), None, (1, 8), id="without shards that of one host"),
        pytest.param(tpu("4x4x8", "tpu-v5p-slice"), 32, (32, 4), id="a large cube"),
    ],
)
def test_the_slice_follows_from_topology_chips_and_shards(accelerator, shards, hosts_and_chips):
    found = parse_accelerator(accelerator, shards)

    assert found.tpu
    assert (found.tpu.hosts, found.count) == hosts_and_chips


@pytest.mark.parametrize(
    ("accelerator", "shards", "problem"),
    [
        pytest.param(
            tpu("4x4"), 2, r"^spec\.sharding\.shards: a 4x4 slice has 4 hosts.*: use 4", id="few"
        ),
        pytest.param(tpu("2x4", count=4), 3, r"^spec\.sharding\.shards: .*: use 2", id="many"),
        pytest.param(
            tpu("4x4"),
            None,
            r"^spec\.accelerator\.tpu\.topology: 4x4 spans 4 hosts: set spec\.sharding",
            id="none",
        ),
        pytest.param(
            tpu("4x4", count=8), 4, r"^spec\.accelerator\.count: a host .* has 4 chips", id="chips"
        ),
    ],
)
def test_shards_that_are_not_the_hosts_of_the_slice_are_refused(accelerator, shards, problem):
    with pytest.raises(InvalidSpec, match=problem):
        parse_accelerator(accelerator, shards)


@pytest.mark.parametrize(
    ("accelerator", "shards", "is_slice"),
    [
        pytest.param(tpu("4x4"), 4, True, id="a slice"),
        pytest.param(tpu("2x4", count=8), 2, False, id="members that are slices themselves"),
        pytest.param({"resource": "nvidia.com/gpu"}, 2, False, id="GPUs"),
    ],
)
def test_only_the_hosts_of_a_slice_reach_each_other_on_all_ports(accelerator, shards, is_slice):
    sharding = {"shards": shards, "recovery": "WholeGroup"}
    body = model_deployment(accelerator=accelerator, sharding=sharding)
    revision = Revision("r", 1, user_input(parse(body)), {})

    rules = group_policy(identify(body), revision, "r-0")["spec"]["ingress"]

    free = [rule["from"] for rule in rules if "ports" not in rule]
    own = {"podSelector": {"matchLabels": {"modelfleet.dev/group": "r-0"}}}
    assert free == ([[own]] if is_slice else [])
