"""TensorFlow's own server, by which members of a group run parts of each other's graphs.

It listens on all interfaces, knows no authentication, and cannot be stopped while its process runs:
so there is one, and it starts when the first model needs it.
"""

import logging
import threading
from typing import Any

import tensorflow as tf

from model_server.core.errors import Code, ServingError
from model_server.servables.sharding.spread.tasks import JOB, Tasks

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_started: dict[Tasks, str] = {}
_servers: list[Any] = []


def target_of(tasks: Tasks, config: Any) -> str:
    """What sessions of this process connect to; starts the server if it does not run yet.

    Raises:
        ServingError: UNAVAILABLE, it cannot listen at its port, or does so for other members.
    """
    with _lock:
        if tasks not in _started:
            if _started:
                said = "this process has a server of TensorFlow for other members"
                raise ServingError(Code.UNAVAILABLE, said)
            server = _start(tasks, config)
            # It would complain at its end, which never comes.
            _servers.append(server)
            _started[tasks] = server.target
            _log.warning(
                "TensorFlow's server for %s listens on all interfaces, without authentication; let"
                " a NetworkPolicy admit the members of the group alone",
                tasks.addresses[tasks.member],
            )
        return _started[tasks]


def _start(tasks: Tasks, config: Any) -> Any:
    try:
        return tf.compat.v1.train.Server(
            tf.train.ClusterSpec({JOB: list(tasks.addresses)}),
            job_name=JOB,
            task_index=tasks.member,
            config=config,
        )
    except tf.errors.OpError as error:
        said = (
            f"TensorFlow's server for {tasks.addresses[tasks.member]} does not start, perhaps"
            f" because another program has the port of --shard_tf_ports: {error.message}"
        )
        raise ServingError(Code.UNAVAILABLE, said) from error


def config_of(config: Any) -> Any:
    """The ConfigProto for distributed sessions, from that for others."""
    made = tf.compat.v1.ConfigProto()
    made.CopyFrom(config)
    # Graphs of other members have no thread that calls.
    made.inter_op_parallelism_threads = max(0, made.inter_op_parallelism_threads)
    return made
