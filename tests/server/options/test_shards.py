"""Where TensorFlow's own servers of a group listen, by the flags."""

import pytest

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options
from model_server.options.shards import shards_of


def shards(ports):
    members = "ranker-0.ranker:8500,[::1]:8500"
    return shards_of(Options(shard_members=members, shard_rank=0, shard_tf_ports=ports))


@pytest.mark.parametrize(
    ("ports", "addresses"),
    [
        ("", ()),
        ("8600", ("ranker-0.ranker:8600", "[::1]:8600")),
        ("8600, 8601", ("ranker-0.ranker:8600", "[::1]:8601")),
    ],
)
def test_the_hosts_are_those_of_the_members(ports, addresses):
    assert shards(ports).tf_addresses == addresses


@pytest.mark.parametrize("ports", ["x", "0", "65536", "8600,8601,8602", "8600,", "-1"])
def test_ports_that_cannot_be_are_refused(ports):
    with pytest.raises(InvalidOptions, match="--shard_tf_ports must be one port, or one for each"):
        shards(ports)
