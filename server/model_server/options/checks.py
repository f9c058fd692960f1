"""Which flags cannot be: by themselves, or together with others."""

import math

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options

_LOG_FORMATS = ("text", "json")
_TRANSPORTS = ("auto", "native", "python")
# TensorFlow makes all threads at once, and ends the process where it cannot.
MOST_THREADS = 4096
# What a flag may be, where not everything of its type means something. Below 0 and yet something:
# no time-out, no wait, or the server's own choice.
RANGES: dict[str, tuple[float, float]] = {
    "port": (0, 65535),
    "rest_api_port": (0, 65535),
    "rest_api_max_body_bytes": (1, math.inf),
    "rest_api_max_json_values": (1, math.inf),
    "model_memory_limit_bytes": (0, math.inf),
    "model_cache_limit_bytes": (0, math.inf),
    "request_log_file_bytes": (1, math.inf),
    "request_log_files": (1, math.inf),
    "shard_rank": (-1, math.inf),
    "shard_timeout_ms": (1, math.inf),
    "per_process_gpu_memory_fraction": (0, math.inf),
    "tensorflow_session_parallelism": (-math.inf, MOST_THREADS),
    "tensorflow_intra_op_parallelism": (-math.inf, MOST_THREADS),
    "tensorflow_inter_op_parallelism": (-math.inf, MOST_THREADS),
}


def check(options: Options) -> None:
    """Raises InvalidOptions for flags that cannot be, alone or together."""
    for name, (least, most) in RANGES.items():
        value = getattr(options, name)
        if value < least:
            raise InvalidOptions(f"--{name} must be {least} or more, not {value}")
        if value > most:
            raise InvalidOptions(f"--{name} must be {most} or less, not {value}")
    if not options.port and not options.grpc_socket_path:
        raise InvalidOptions(
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be"
            " set."
        )
    if options.use_alts_credentials and options.ssl_config_file:
        raise InvalidOptions(
            "Either use_alts_credentials must be false or ssl_config_file must be empty."
        )
    if not options.model_base_path and not options.model_config_file:
        raise InvalidOptions(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )
    if options.model_version_policy and options.model_config_file:
        raise InvalidOptions(
            "--model_version_policy goes with --model_base_path only; in a config file,"
            " model_version_policy is a field of each model."
        )
    if options.log_format not in _LOG_FORMATS:
        raise InvalidOptions(f'--log_format must be text or json, not "{options.log_format}"')
    if options.transport not in _TRANSPORTS:
        raise InvalidOptions(
            f'--transport must be auto, native or python, not "{options.transport}"'
        )
    if options.max_active_rows < 1:
        raise InvalidOptions(f"--max_active_rows must be positive; was {options.max_active_rows}")
    if not math.isfinite(options.per_process_gpu_memory_fraction):
        raise InvalidOptions("--per_process_gpu_memory_fraction must be finite")
    if not options.platform_config_file:
        # With such a file these flags mean nothing, together or alone.
        _check_batching_and_threads(options)


def _check_batching_and_threads(options: Options) -> None:
    if options.batching_parameters_file and not options.enable_batching:
        raise InvalidOptions(
            "server_options.batching_parameters_file is set without setting"
            " server_options.enable_batching to true."
        )
    if options.batching_parameters and not options.enable_batching:
        raise InvalidOptions("--batching_parameters goes with --enable_batching only.")
    if options.batching_parameters and options.batching_parameters_file:
        raise InvalidOptions(
            "Either --batching_parameters or --batching_parameters_file must be empty."
        )
    if (
        options.tensorflow_session_parallelism > 0
        and options.tensorflow_intra_op_parallelism > 0
        and options.tensorflow_inter_op_parallelism > 0
    ):
        raise InvalidOptions(
            "Either configure server_options.tensorflow_session_parallelism or"
            " (server_options.tensorflow_intra_op_parallelism,"
            " server_options.tensorflow_inter_op_parallelism) separately. You cannot configure all."
        )
