"""Which groups of shards the API server accepts, and how it refuses the rest."""

import pytest

from api_server import Refused
from simulated_world import manifest

pytestmark = pytest.mark.api


@pytest.mark.parametrize("shards", [2, 512])
def test_a_number_of_shards_is_accepted(api_server, shards):
    api_server.apply(manifest(sharding={"shards": shards}))

    stored = api_server.get("md", "ranker")["spec"]["sharding"]
    assert stored == {"shards": shards, "recovery": "Member"}


def test_without_sharding_nothing_about_it_is_stored(api_server):
    api_server.apply(manifest())

    assert "sharding" not in api_server.get("md", "ranker")["spec"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"sharding": {}}, "spec.sharding.shards: Required", id="of how many"),
        pytest.param(
            {"sharding": {"shards": 1}}, "should be greater than or equal to 2", id="one shard"
        ),
        pytest.param(
            {"sharding": {"shards": 513}}, "should be less than or equal to 512", id="too many"
        ),
        pytest.param(
            {"sharding": {"shards": 2, "recovery": "None"}},
            "spec.sharding.recovery: Unsupported value",
            id="no known recovery",
        ),
        pytest.param(
            {"sharding": {"shards": 2}, "serving": {"args": ["--shard_members=a:1,b:1"]}},
            "spec.serving.args: the flags shard_members, shard_rank and shard_token_file follow",
            id="members by a flag as well",
        ),
        pytest.param(
            {"sharding": {"shards": 2}, "model": {"platform": "onnx"}},
            "spec.sharding: only models of the platform tensorflow can be divided",
            id="a model of another platform",
        ),
        pytest.param(
            {
                "sharding": {"shards": 2},
                "shadow": {"model": {"version": 2, "platform": "tflite"}, "percent": 1},
            },
            "spec.sharding: only models of the platform tensorflow can be divided",
            id="a shadow of another platform",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(api_server, spec, message):
    with pytest.raises(Refused, match=message):
        api_server.apply(manifest(**spec))
