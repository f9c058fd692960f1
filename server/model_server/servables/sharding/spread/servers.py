"""TensorFlow's own server, by which members of a group run parts of each other's graphs.

It listens on all interfaces, knows no authentication, and cannot be stopped while its process runs:
so there is one, and it starts when the first model needs it.
"""

import logging
import threading
from typing import Any

import tensorflow as tf

from model_server.servables.sharding.spread.tasks import JOB, Tasks

_log = logging.getLogger(__name__)
_lock = threading.Lock()
_started: dict[Tasks, str] = {}


def target_of(tasks: Tasks, config: Any) -> str:
    """What sessions of this process connect to; starts the server if it does not run yet.

    Raises:
        tf.errors.OpError: it cannot listen at its port.
        ValueError: it runs already, for other members.
    """
    with _lock:
        if tasks not in _started:
            if _started:
                raise ValueError("this process has a server of TensorFlow for other members")
            server = tf.compat.v1.train.Server(
                tf.train.ClusterSpec({JOB: list(tasks.addresses)}),
                job_name=JOB,
                task_index=tasks.member,
                config=config,
            )
            # It has no end, and TensorFlow keeps it.
            _started[tasks] = server.target
            _servers.append(server)
            _log.warning(
                "TensorFlow's server listens at %s for anybody, without authentication; let a"
                " NetworkPolicy admit the members of the group alone",
                tasks.addresses[tasks.member],
            )
        return _started[tasks]


_servers: list[Any] = []


def config_of(config: Any) -> Any:
    """The ConfigProto for distributed sessions, from that for others."""
    made = tf.compat.v1.ConfigProto()
    made.CopyFrom(config)
    # Graphs of other members have no thread that calls.
    made.inter_op_parallelism_threads = max(0, made.inter_op_parallelism_threads)
    return made
