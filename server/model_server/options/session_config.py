"""A ConfigProto as a file gives it, checked as far as TensorFlow would end the process."""

from typing import Any

from model_server.options.checks import MOST_THREADS
from model_server.options.command_line import InvalidOptions


def written_of(config: Any, where: str) -> bytes:
    """A ConfigProto as bytes. Raises InvalidOptions, naming the field, for too many threads."""
    pools = config.session_inter_op_thread_pool
    threads = {
        "intra_op_parallelism_threads": config.intra_op_parallelism_threads,
        "inter_op_parallelism_threads": config.inter_op_parallelism_threads,
        "session_inter_op_thread_pool": max((pool.num_threads for pool in pools), default=0),
    }
    for field, number in threads.items():
        if number > MOST_THREADS:
            raise InvalidOptions(f"{where}: {field} must be at most {MOST_THREADS}; was {number}")
    written: bytes = config.SerializeToString()
    return written
