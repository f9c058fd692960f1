"""The reference page of all flags, as Markdown: ``python -m model_server.options.flags_page``."""

import dataclasses
from typing import Any

from model_server.options.flags import Options

# The flags of tensorflow_model_server, in groups, and how this server differs where it does.
UPSTREAM: dict[str, dict[str, str]] = {
    "Listening and transport": {
        "port": "opens at once, not only when the models are loaded",
        "grpc_socket_path": "",
        "grpc_channel_arguments": "",
        "grpc_max_threads": "counts requests that run, not threads; 64 with batching, if not given",
        "rest_api_port": "opens at once",
        "rest_api_num_threads": "all of them run requests; 64 with batching, if not given",
        "rest_api_timeout_in_ms": "the client is told; what runs in TensorFlow goes on to its end",
        "rest_api_enable_cors_support": "",
        "use_alts_credentials": "the start fails where there is no ALTS",
        "ssl_config_file": "a bad file is refused with a message; for REST there is a flag of ours",
        "enable_grpc_healthcheck_service": "",
        "enable_profiler": "`Monitor` is UNIMPLEMENTED, as TensorFlow has it for TPUs only",
    },
    "Models and lifecycle": {
        "model_name": "",
        "model_base_path": "",
        "model_config_file": "",
        "model_config_file_poll_wait_seconds": "",
        "file_system_poll_wait_seconds": "less than 0 is never, so no model is ever ready;"
        " there, the start never ends",
        "num_load_threads": "the first models are loaded by 4 threads for each CPU, as there;"
        " 0 leaves it so, there it then is one thread for everything",
        "num_unload_threads": "0 is one thread for each CPU",
        "max_num_load_retries": "only where another try may go better",
        "load_retry_interval_micros": "",
        "flush_filesystem_caches": "without effect, as it is there for local files",
        "allow_version_labels_for_unavailable_models": "labels of the first configuration need no"
        " flag",
        "saved_model_tags": "",
        "remove_unused_fields_from_bundle_metagraph": "without effect: it is always done",
        "enable_model_warmup": "",
        "num_request_iterations_for_warmup": "",
        "prefer_tflite_model": "",
        "num_tflite_pools": "",
        "num_tflite_interpreters_per_pool": "",
    },
    "Batching": {
        "enable_batching": "signatures whose inputs and outputs are no rows run by themselves; of a"
        " batch that fails each request is run by itself",
        "batching_parameters_file": "without a timeout, what waits runs when a thread is free",
        "enable_per_model_batching_parameters": "a version without the file is not batched",
    },
    "Runtime": {
        "tensorflow_session_parallelism": "see the two below",
        "tensorflow_intra_op_parallelism": "0 keeps to the container's limit; else the same: one"
        " pool for the whole process",
        "tensorflow_inter_op_parallelism": "0 is the thread that received the request, which takes"
        " small models much less time; there, a pool of a thread for each CPU",
        "tensorflow_session_config_file": "a flag goes before the file where it is set",
        "per_process_gpu_memory_fraction": "",
        "platform_config_file": "other platforms stay; a platform of the file may be called as one"
        " of the server and then takes its place",
        "thread_pool_factory_config_file": "no factory can be registered: a file that names one is"
        " refused",
        "xla_cpu_compilation_enabled": "always allowed, so it changes nothing",
        "xla_gpu_compilation_enabled": "always allowed, so it changes nothing",
        "mixed_precision": "a word other than `bfloat16` is told in the log",
        "skip_initialize_tpu": "without effect",
        "enable_signature_method_name_check": "",
        "enable_serialization_as_tensor_content": "REST answers are not touched; there, they break",
    },
    "Misc": {
        "monitoring_config_file": "without a file metrics are on; there, off",
        "version": "the first line has the version of modelfleet",
    },
}

_HEAD = """# The flags of model-server

<!-- Written by `python -m model_server.options.flags_page`; a test compares. -->

Every flag of `tensorflow_model_server` 2.20 is there, with its default. A flag is `--name=value`;
a bool is also `--name` alone. The last of equal flags counts. A value that does not fit ends the
start with 255 and a message; an argument that is no flag is told with the list of flags, and the
server starts all the same. Files are protos in text format: see [config files](config-files.md).
A flag *without effect* is accepted, so that a command line can be taken over unchanged, and told
once in the log if it is set. The CPUs are those that the process may be scheduled on and, other
than there, no more than its container's limit.
"""
_OURS = """
## Only here

Flags that `tensorflow_model_server` does not have.
"""
_KINDS = {bool: "bool", int: "int", float: "float", str: "string"}
# Defaults that depend on the machine.
_BY_CPUS = {
    "grpc_max_threads": "4 for each CPU",
    "rest_api_num_threads": "4 for each CPU",
    "num_tflite_pools": "1 for each CPU",
}


def page() -> str:
    """The whole page; the same on every machine."""
    flags = {flag.name: flag for flag in dataclasses.fields(Options)}
    parts = [_HEAD]
    for group, names in UPSTREAM.items():
        parts.append(f"\n## {group}\n\n| Flag | Default | Effect | Different from upstream |\n")
        parts.append("|---|---|---|---|\n")
        parts.extend(f"{_row(flags.pop(name))} {text} |\n" for name, text in names.items())
    parts.append(f"{_OURS}\n| Flag | Default | Effect |\n|---|---|---|\n")
    parts.extend(f"{_row(flag)}\n" for flag in flags.values())
    return "".join(parts)


def _row(flag: Any) -> str:
    if flag.name in _BY_CPUS:
        default = _BY_CPUS[flag.name]
    elif flag.type is str:
        default = f"`{flag.default}`" if flag.default else "empty"
    else:
        default = f"`{str(flag.default).lower()}`"
    kind = _KINDS[flag.type]
    text = flag.metadata["doc"].replace("|", "\\|")
    return f"| `--{flag.name}` ({kind}) | {default} | {text} |"


if __name__ == "__main__":
    print(page(), end="")
