"""What the CRD itself lets a user say about where groups stand."""

import pytest

from api_server import Refused
from simulated_world import manifest as written

pytestmark = pytest.mark.api

WHOLE = {"recovery": "WholeGroup"}


def manifest(sharding, accelerator=None):
    more = {"accelerator": accelerator} if accelerator else {}
    return written(sharding=sharding, **more)


def tpu(topology, type_="tpu-v5-lite-podslice", **more):
    return {"resource": "google.com/tpu", "tpu": {"type": type_, "topology": topology}} | more


@pytest.mark.parametrize(
    ("sharding", "accelerator"),
    [
        pytest.param(
            {"shards": 2, "topology": {"key": "rack", "mode": "Exclusive"}}, None, id="a topology"
        ),
        pytest.param({"shards": 4} | WHOLE, tpu("4x4"), id="a shard for each host"),
        pytest.param({"shards": 2} | WHOLE, tpu("2x4"), id="a plane of two hosts"),
        pytest.param({"shards": 2}, tpu("2x4", count=8), id="two slices of one host"),
        pytest.param({"shards": 8} | WHOLE, tpu("2x4x4", "tpu-v5p-slice"), id="a cube"),
    ],
)
def test_where_groups_may_stand(api_server, sharding, accelerator):
    api_server.apply(manifest(sharding, accelerator))

    stored = api_server.get("md", "ranker")["spec"]["sharding"]
    assert stored == {"recovery": "Member"} | sharding


@pytest.mark.parametrize(
    ("sharding", "accelerator", "message"),
    [
        pytest.param(
            {"shards": 2, "topology": {"key": "a b", "mode": "Pack"}},
            None,
            "spec.sharding.topology.key: is no label's name",
            id="no label",
        ),
        pytest.param(
            {"shards": 2, "topology": {"key": "rack", "mode": "Alone"}},
            None,
            "spec.sharding.topology.mode: Unsupported value",
            id="an unknown mode",
        ),
        pytest.param(
            {"shards": 2, "gangScheduling": "kueue"},
            None,
            "spec.sharding.gangScheduling: Unsupported value",
            id="a scheduler that is not known",
        ),
        pytest.param(
            {"shards": 2} | WHOLE,
            tpu("4x4"),
            "spec.sharding.shards: is the number of hosts",
            id="few",
        ),
        pytest.param(
            {"shards": 3} | WHOLE,
            tpu("2x4", count=4),
            "spec.sharding.shards: is the number of hosts",
            id="many",
        ),
        pytest.param(
            {"shards": 4},
            tpu("4x4"),
            "spec.sharding.recovery: the hosts of a TPU slice",
            id="alone",
        ),
        pytest.param(
            {"shards": 2}, tpu("2x4"), "spec.sharding.recovery: the hosts of a TPU", id="alone too"
        ),
        pytest.param(
            {"shards": 4} | WHOLE,
            tpu("4x4", count=8),
            "spec.accelerator.count: is the chips of one host",
            id="chips",
        ),
    ],
)
def test_what_is_refused_by_the_fields_name(api_server, sharding, accelerator, message):
    with pytest.raises(Refused) as refusal:
        api_server.apply(manifest(sharding, accelerator))

    assert message in " ".join(str(refusal.value).split())
