"""The server that TensorFlow has for members of a group."""

import socket

import pytest
import tensorflow as tf

from model_server.core.errors import Code, ServingError
from model_server.servables.sharding.spread.servers import target_of
from model_server.servables.sharding.spread.tasks import Tasks


def test_a_port_that_is_taken_is_told_with_the_flag():
    with socket.create_server(("0.0.0.0", 0)) as other:
        own = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ServingError, match=f"{own} .* --shard_tf_ports") as caught:
            target_of(Tasks((own, "127.0.0.1:1"), 0, 1.0), tf.compat.v1.ConfigProto())
    assert caught.value.code is Code.UNAVAILABLE
