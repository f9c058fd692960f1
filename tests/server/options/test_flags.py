"""Every flag of tensorflow_model_server is there, with its default; the page tells all flags."""

import dataclasses
from pathlib import Path

import pytest

from model_server.options.checks import check
from model_server.options.command_line import parse, usage, without_effect
from model_server.options.cpus import CPUS
from model_server.options.flags import Options
from model_server.options.flags_page import UPSTREAM, page

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "flags.md"

# Name and default as in TensorFlow Serving's main.cc and server.h.
FLAGS = {
    "port": 8500,
    "grpc_socket_path": "",
    "rest_api_port": 0,
    "rest_api_num_threads": 4 * CPUS,
    "rest_api_timeout_in_ms": 30000,
    "rest_api_enable_cors_support": False,
    "enable_batching": False,
    "allow_version_labels_for_unavailable_models": False,
    "batching_parameters_file": "",
    "enable_per_model_batching_parameters": False,
    "model_config_file": "",
    "model_config_file_poll_wait_seconds": 0,
    "model_name": "default",
    "model_base_path": "",
    "num_load_threads": 0,
    "num_unload_threads": 0,
    "max_num_load_retries": 5,
    "load_retry_interval_micros": 60_000_000,
    "file_system_poll_wait_seconds": 1,
    "flush_filesystem_caches": True,
    "tensorflow_session_parallelism": 0,
    "tensorflow_session_config_file": "",
    "tensorflow_intra_op_parallelism": 0,
    "tensorflow_inter_op_parallelism": 0,
    "use_alts_credentials": False,
    "ssl_config_file": "",
    "platform_config_file": "",
    "per_process_gpu_memory_fraction": 0.0,
    "saved_model_tags": "serve",
    "grpc_channel_arguments": "",
    "grpc_max_threads": 4 * CPUS,
    "enable_model_warmup": True,
    "num_request_iterations_for_warmup": 0,
    "version": False,
    "monitoring_config_file": "",
    "remove_unused_fields_from_bundle_metagraph": True,
    "prefer_tflite_model": False,
    "num_tflite_pools": CPUS,
    "num_tflite_interpreters_per_pool": 1,
    "enable_signature_method_name_check": False,
    "xla_cpu_compilation_enabled": False,
    "xla_gpu_compilation_enabled": False,
    "enable_profiler": True,
    "thread_pool_factory_config_file": "",
    "mixed_precision": "",
    "skip_initialize_tpu": False,
    "enable_grpc_healthcheck_service": False,
    "enable_serialization_as_tensor_content": False,
}
# What is typed to set a flag of each type, and what that is.
TYPED = {bool: ("true", True), int: ("7", 7), float: ("0.5", 0.5), str: ("text", "text")}


@pytest.mark.parametrize(("name", "default"), FLAGS.items(), ids=FLAGS.keys())
def test_a_flag_has_its_default_and_can_be_set(name, default):
    typed, value = TYPED[type(default)]

    assert getattr(parse([]).options, name) == default
    assert getattr(parse([f"--{name}={typed}"]).options, name) == value


def test_the_page_has_the_flags_of_upstream_in_groups_and_all_others_after_them():
    grouped = [name for names in UPSTREAM.values() for name in names]
    ours = page().partition("## Only here")[2]

    assert sorted(grouped) == sorted(FLAGS)
    assert all(
        f"| `--{flag.name}` (" in ours
        for flag in dataclasses.fields(Options)
        if flag.name not in FLAGS
    )


def test_the_page_is_that_of_the_flags():
    # If not: python -m model_server.options.flags_page > docs/reference/flags.md
    assert PAGE.read_text() == page()


def test_a_flag_without_effect_is_said_to_be_so_on_the_page_and_in_the_usage():
    unused = [flag.name for flag in dataclasses.fields(Options) if flag.metadata["unused"]]
    texts = {name: text for names in UPSTREAM.values() for name, text in names.items()}

    assert [name for name in FLAGS if texts[name].startswith("without effect")] == [
        name for name in FLAGS if name in unused
    ]
    assert usage("model-server").count("(accepted, without effect)") == len(unused)


def test_every_flag_without_effect_is_told_if_it_is_set():
    unused = [flag for flag in dataclasses.fields(Options) if flag.metadata["unused"]]

    options = parse([f"--{flag.name}={not flag.default}" for flag in unused]).options

    assert without_effect(options) == [flag.name for flag in unused]


def test_a_command_line_with_every_flag_of_upstream_at_its_default_starts():
    typed = [f"--{name}={default}" for name, default in FLAGS.items() if default != ""]

    line = parse([*typed, "--model_base_path=/models/m"])

    assert line.unknown == ()
    assert line.options == Options(model_base_path="/models/m")
    check(line.options)
