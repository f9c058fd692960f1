"""Every flag of tensorflow_model_server, its default and its meaning, as one frozen dataclass.

Source: TensorFlow Serving, ``model_servers/main.cc`` and ``server.h``. Flags that cannot mean
anything here are accepted, so that a command line written for it works unchanged.
"""

from dataclasses import dataclass, field
from typing import Any

from model_server.options.cpus import CPUS


def _flag(default: Any, doc: str, *, unused: bool = False) -> Any:
    return field(default=default, metadata={"doc": doc, "unused": unused})


@dataclass(frozen=True)
class Options:
    """The values of all flags; the field's name is the flag's name."""

    # Listening and transport
    port: int = _flag(8500, "TCP port to listen on for the gRPC API; 0 turns it off")
    grpc_socket_path: str = _flag("", "also listen for gRPC on this UNIX socket")
    grpc_channel_arguments: str = _flag("", "gRPC channel arguments: key=value, key=value")
    grpc_max_threads: int = _flag(4 * CPUS, "most gRPC requests handled at the same time")
    rest_api_port: int = _flag(0, "TCP port to listen on for the REST API; 0 turns it off")
    rest_api_num_threads: int = _flag(4 * CPUS, "threads that run REST requests")
    rest_api_timeout_in_ms: int = _flag(30000, "timeout of a REST request; 0 or less means none")
    rest_api_enable_cors_support: bool = _flag(False, "add CORS headers to REST answers")
    rest_api_max_body_bytes: int = _flag(256 * 2**20, "largest body of a REST request")
    rest_api_max_json_values: int = _flag(
        2**23, "most JSON values in a REST request, each of which takes up to 200 bytes of memory"
    )
    max_in_flight_requests: int = _flag(
        4096, "most requests at hand, for each API; more are refused at once; 0 means any number"
    )
    max_in_flight_requests_per_model: str = _flag(
        "",
        "most requests at hand of a model, over both APIs; more are refused at once; N for each"
        " model, NAME=N for one, 0 for any number; a comma list",
    )
    transport: str = _flag(
        "auto",
        "what speaks gRPC and HTTP: native, the package modelfleet-transport, or python, grpcio and"
        " aiohttp; auto is native where that is installed and can do what is asked for",
    )
    use_alts_credentials: bool = _flag(
        False, "Google ALTS credentials for gRPC; works on Google Cloud only"
    )
    ssl_config_file: str = _flag("", "text SSLConfig: TLS for gRPC, not for REST")
    rest_api_ssl_config_file: str = _flag("", "text SSLConfig: TLS for the REST API")
    enable_grpc_healthcheck_service: bool = _flag(False, "serve grpc.health.v1.Health")
    enable_profiler: bool = _flag(True, "serve tensorflow.ProfilerService")

    # Models and lifecycle
    model_name: str = _flag("default", "name of the model in single-model mode")
    model_base_path: str = _flag("", "base path of the model; ignored with a config file")
    model_version_policy: str = _flag(
        "", "text ServableVersionPolicy for --model_base_path, e.g. 'specific { versions: 2 }'"
    )
    model_platform: str = _flag(
        "tensorflow", "platform of the model at --model_base_path; ignored with a config file"
    )
    servable_platforms: str = _flag(
        "",
        "platforms beside those on by themselves: NAME for an installed one that is off (python),"
        " NAME=MODULE:CLASS for another; a comma list",
    )
    model_config_file: str = _flag("", "text ModelServerConfig: the models to serve")
    model_config_file_poll_wait_seconds: int = _flag(0, "re-read the config file this often")
    file_system_poll_wait_seconds: int = _flag(1, "look for new versions this often; 0 means once")
    remote_file_system_poll_wait_seconds: int = _flag(
        30, "list base paths that are URLs at most this often, because listing is paid for"
    )
    model_cache_folder: str = _flag(
        "", "where versions are kept that are fetched from URLs; a temporary folder if empty"
    )
    model_cache_limit_bytes: int = _flag(
        0, "bytes that fetched versions may take on disk; 0 means what is free"
    )
    model_memory_limit_bytes: int = _flag(
        0, "memory that all models together may take, by the size of their files; 0 is no limit"
    )
    num_load_threads: int = _flag(
        0, "threads that load versions once the first models are there; 0 means 4 for each CPU"
    )
    num_unload_threads: int = _flag(0, "threads that unload versions; 0 means the server's choice")
    max_num_load_retries: int = _flag(5, "retries after a version failed to load")
    load_retry_interval_micros: int = _flag(60_000_000, "wait between such retries")
    flush_filesystem_caches: bool = _flag(True, "drop the page cache after loading", unused=True)
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "let a new label name a version that is not loaded"
    )
    saved_model_tags: str = _flag("serve", "comma list of the MetaGraph's tags")
    remove_unused_fields_from_bundle_metagraph: bool = _flag(
        True, "keep only the signatures of the MetaGraph in memory", unused=True
    )
    enable_model_warmup: bool = _flag(True, "replay assets.extra/tf_serving_warmup_requests")
    num_request_iterations_for_warmup: int = _flag(0, "times each is replayed; 0 means once")
    prefer_tflite_model: bool = _flag(False, "serve model.tflite where a version has one")
    num_tflite_pools: int = _flag(CPUS, "most TensorFlow Lite interpreters of a version")
    num_tflite_interpreters_per_pool: int = _flag(
        1, "over 1: requests of many rows are split among the interpreters"
    )

    # Batching
    enable_batching: bool = _flag(False, "merge requests into batches")
    batching_parameters_file: str = _flag("", "text BatchingParameters")
    batching_parameters: str = _flag(
        "",
        "text BatchingParameters, in place of --batching_parameters_file,"
        " e.g. 'max_batch_size { value: 32 }'",
    )
    enable_per_model_batching_parameters: bool = _flag(
        False, "read batching_params.pbtxt from the version's folder"
    )

    max_active_rows: int = _flag(
        128, "most sequences of a model with signatures step and head that advance together"
    )

    # Runtime
    tensorflow_session_parallelism: int = _flag(0, "intra- and inter-op threads of a session")
    tensorflow_intra_op_parallelism: int = _flag(0, "threads inside one operation")
    tensorflow_inter_op_parallelism: int = _flag(
        0, "threads that run operations side by side; 0 is the request's own thread"
    )
    tensorflow_session_config_file: str = _flag("", "text ConfigProto")
    per_process_gpu_memory_fraction: float = _flag(0.0, "share of GPU memory; 0 lets TF decide")
    platform_config_file: str = _flag(
        "", "text PlatformConfigMap, in place of the flags for batching and sessions"
    )
    thread_pool_factory_config_file: str = _flag("", "text ThreadPoolFactoryConfig, without one")
    xla_cpu_compilation_enabled: bool = _flag(
        False, "let models compile for the CPU with XLA, which they always may here"
    )
    xla_gpu_compilation_enabled: bool = _flag(
        False, "let models compile for CPU and GPU with XLA, which they always may here"
    )
    mixed_precision: str = _flag("", "bfloat16: let Grappler use mixed precision on the CPU")
    skip_initialize_tpu: bool = _flag(False, "TPU builds only", unused=True)
    enable_signature_method_name_check: bool = _flag(
        False, "refuse signatures whose method name is of another API"
    )
    enable_serialization_as_tensor_content: bool = _flag(
        False, "answer gRPC Predict with tensor_content instead of float_val and the like"
    )

    # Groups
    shard_members: str = _flag(
        "",
        "gRPC addresses of all servers that hold SavedModels together, HOST:PORT,HOST:PORT,... in"
        " the same order at each; empty: this one serves alone",
    )
    shard_rank: int = _flag(
        -1, "which of them this server is, from 0; -1: the number at the end of the host's name"
    )
    shard_token_file: str = _flag("", "file with what members show each other; the same at each")
    share_tables: bool = _flag(
        False, "keep embedding tables that several SavedModels or versions have in memory once"
    )
    shard_timeout_ms: int = _flag(5000, "wait for another member's part of an answer")
    shard_tf_ports: str = _flag(
        "",
        "serve SavedModels that read split tables inside conditions or loops, too, by TensorFlow's"
        " own servers at this port of each member, or PORT,PORT,... one for each; anybody who"
        " reaches such a port can run anything there; empty: refuse such SavedModels",
    )

    # Misc
    request_log_folder: str = _flag(
        "", "folder below which models' requests may be logged; without one they may not"
    )
    request_log_file_bytes: int = _flag(64 * 2**20, "size at which a file of requests is ended")
    request_log_files: int = _flag(10, "files of requests that are kept under one prefix")
    log_format: str = _flag("text", "form of the log on stderr: text, or json for a line of JSON")
    monitoring_config_file: str = _flag("", "text MonitoringConfig: Prometheus on the REST port")
    version: bool = _flag(False, "print the version and exit")
