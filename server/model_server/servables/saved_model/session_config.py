"""The configuration of a TensorFlow session."""

from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

from model_server.options.cpus import CPU_LIMIT
from model_server.servables.platform import Runtime

# In the thread that calls: some 5 microseconds for a small graph instead of 150.
_IN_THE_CALLER = -1


def session_config(runtime: Runtime, cpu_limit: int | None = CPU_LIMIT) -> Any:
    """The ConfigProto a runtime asks for; what has a field of its own goes before its file."""
    config = config_pb2.ConfigProto.FromString(runtime.session_config)
    # Models saved where there was a GPU must load where there is none.
    config.allow_soft_placement = True
    if runtime.intra_op_threads:
        config.intra_op_parallelism_threads = runtime.intra_op_threads
    elif cpu_limit and not config.intra_op_parallelism_threads:
        # TensorFlow would take a thread for each CPU of the node.
        config.intra_op_parallelism_threads = cpu_limit
    # A thread that spins for its part of the next operation takes the processor from requests.
    # Measured on 2 CPUs: the same small convolutions cost 240 microseconds instead of 570.
    config.experimental.disable_thread_spinning = True
    if runtime.inter_op_threads:
        config.inter_op_parallelism_threads = runtime.inter_op_threads
    if not _has_threads_between_operations(config):
        config.inter_op_parallelism_threads = _IN_THE_CALLER
    if runtime.gpu_memory_fraction:
        config.gpu_options.per_process_gpu_memory_fraction = runtime.gpu_memory_fraction
    if runtime.mixed_precision == "bfloat16":
        rewriting = config.graph_options.rewrite_options
        rewriting.auto_mixed_precision_onednn_bfloat16 = rewriter_config_pb2.RewriterConfig.ON
    return config


def is_on_one_cpu(config: Any) -> bool:
    """Whether each run of such a session is the work of the thread that calls, and of no other."""
    return (
        config.intra_op_parallelism_threads == 1
        and config.inter_op_parallelism_threads == _IN_THE_CALLER
        and not tf.config.list_physical_devices("GPU")
    )


def _has_threads_between_operations(config: Any) -> bool:
    return bool(
        config.inter_op_parallelism_threads
        or config.session_inter_op_thread_pool
        or config.use_per_session_threads
    )
