"""Flags and the files they name say how servables run."""

import logging
from dataclasses import replace

import pytest
from tensorflow.core.protobuf.config_pb2 import ConfigProto

from model_server.options.batching import Batching
from model_server.options.command_line import InvalidOptions
from model_server.options.cpus import CPUS
from model_server.options.flags import Options
from model_server.servables.platform import Runtime
from model_server.servables.registry import Platforms
from model_server.servables.runtimes import runtimes_of

PLATFORM = "model_server.servables.tensorflow_platform"
SAVED_MODELS = "type.googleapis.com/tensorflow.serving.SavedModelBundleSourceAdapterConfig"
SESSION_BUNDLES = "type.googleapis.com/tensorflow.serving.SessionBundleSourceAdapterConfig"
BUNDLE = "type.googleapis.com/tensorflow.serving.SessionBundleConfig"
# What no flag changes.
BY_FLAGS = Runtime(tflite_pools=CPUS)
HASHMAPS = "type.googleapis.com/tensorflow.serving.HashmapSourceAdapterConfig"


@pytest.fixture
def file(tmp_path):
    """Writes a configuration file; its path."""

    def write(text: str) -> str:
        path = tmp_path / "config.txt"
        path.write_text(text)
        return str(path)

    return write


def platform(name: str, adapter: str) -> str:
    return f'platform_configs {{ key: "{name}" value {{ source_adapter_config {{ {adapter} }} }} }}'


def saved_models(bundle: str) -> str:
    return platform("tensorflow", f"[{SAVED_MODELS}] {{ legacy_config {{ {bundle} }} }}")


@pytest.mark.parametrize(
    ("flags", "changed"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param(
            {"tensorflow_session_parallelism": 3},
            dict(intra_op_threads=3, inter_op_threads=3),
            id="one number for both pools",
        ),
        pytest.param(
            {"tensorflow_session_parallelism": 3, "tensorflow_inter_op_parallelism": 2},
            dict(intra_op_threads=0, inter_op_threads=2),
            id="one of the two goes before the number for both",
        ),
        pytest.param(
            {"tensorflow_intra_op_parallelism": 4, "tensorflow_inter_op_parallelism": 2},
            dict(intra_op_threads=4, inter_op_threads=2),
            id="a number for each",
        ),
        pytest.param(
            {"per_process_gpu_memory_fraction": 0.5},
            dict(gpu_memory_fraction=0.5),
            id="GPU memory",
        ),
        pytest.param(
            {"mixed_precision": "bfloat16"}, dict(mixed_precision="bfloat16"), id="precision"
        ),
        pytest.param({"mixed_precision": "float8"}, {}, id="an unknown precision"),
        pytest.param(
            {"saved_model_tags": "serve,tpu"}, dict(tags=frozenset({"serve", "tpu"})), id="tags"
        ),
        pytest.param({"enable_model_warmup": False}, dict(warm_ups=0), id="no warm-up"),
        pytest.param({"num_request_iterations_for_warmup": 4}, dict(warm_ups=4), id="warm-ups"),
        pytest.param(
            {"enable_batching": True, "enable_per_model_batching_parameters": True},
            dict(
                batching=Batching(threads_name="model_server_batch_threads"),
                batching_of_versions=True,
            ),
            id="batching",
        ),
        pytest.param(
            {"enable_batching": True, "batching_parameters": "max_batch_size { value: 4 }"},
            dict(batching=Batching(max_size=4, max_execution_size=4)),
            id="batching by a flag",
        ),
    ],
)
def test_flags_are_the_runtime_of_every_platform(flags, changed):
    assert runtimes_of(Options(**flags)).of("any") == replace(BY_FLAGS, **changed)


def test_a_session_config_file_is_kept_whole(file):
    path = file(
        "device_count { key: 'CPU' value: 2 } graph_options { place_pruned_graph: true }"
        " session_inter_op_thread_pool { num_threads: 2 }"
    )

    runtime = runtimes_of(Options(tensorflow_session_config_file=path)).of("any")

    config = ConfigProto.FromString(runtime.session_config)
    assert config.device_count == {"CPU": 2}
    assert config.graph_options.place_pruned_graph
    assert config.session_inter_op_thread_pool[0].num_threads == 2


def test_a_session_config_that_does_not_parse_is_named(file):
    path = file("intra_op_threads: 2")

    with pytest.raises(InvalidOptions) as raised:
        runtimes_of(Options(tensorflow_session_config_file=path))

    assert str(raised.value) == (
        f"{path}: Error parsing text-format tensorflow.ConfigProto: 1:1 : Message type"
        ' "tensorflow.ConfigProto" has no field named "intra_op_threads".'
    )


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("intra_op_parallelism_threads: 4097", "intra_op_parallelism_threads"),
        ("inter_op_parallelism_threads: 4097", "inter_op_parallelism_threads"),
        ("session_inter_op_thread_pool { num_threads: 4097 }", "session_inter_op_thread_pool"),
    ],
)
def test_more_threads_than_a_process_can_have_are_refused(file, text, field):
    path = file(text)

    with pytest.raises(InvalidOptions) as raised:
        runtimes_of(Options(tensorflow_session_config_file=path))

    assert str(raised.value) == f"{path}: {field} must be at most 4096; was 4097"


def test_a_platform_config_says_everything_of_its_platform(file):
    bundle = """
      session_config { intra_op_parallelism_threads: 3 }
      batching_parameters { max_batch_size { value: 16 } thread_pool_name { value: "pool" } }
      saved_model_tags: "serve" saved_model_tags: "gpu"
      enable_model_warmup: true
      model_warmup_options { num_request_iterations { value: 5 } }
      enable_per_model_batching_params: true
      mixed_precision: "bfloat16"
      prefer_tflite_model: true
      num_tflite_pools: 3
      num_tflite_interpreters_per_pool: 2
    """

    runtimes = runtimes_of(Options(platform_config_file=file(saved_models(bundle))))

    assert runtimes.of("tensorflow") == Runtime(
        tags=frozenset({"serve", "gpu"}),
        mixed_precision="bfloat16",
        session_config=ConfigProto(intra_op_parallelism_threads=3).SerializeToString(),
        batching=Batching(max_size=16, max_execution_size=16, threads_name="pool"),
        batching_of_versions=True,
        warm_ups=5,
        prefer_tflite=True,
        tflite_pools=3,
        tflite_interpreters_per_pool=2,
    )
    assert runtimes.of("python") == BY_FLAGS


@pytest.mark.parametrize(
    ("bundle", "runtime"),
    [
        pytest.param("", replace(BY_FLAGS, warm_ups=0), id="warm-up only if asked for"),
        pytest.param("enable_model_warmup: true", replace(BY_FLAGS, warm_ups=1), id="once"),
        pytest.param(
            "batching_parameters {} wrap_session_with_no_threading_params: true",
            replace(BY_FLAGS, warm_ups=0),
            id="no batching around a session wrapped otherwise",
        ),
    ],
)
def test_what_a_platform_config_leaves_out_has_its_own_default(file, bundle, runtime):
    options = Options(platform_config_file=file(saved_models(bundle)), enable_batching=True)

    assert runtimes_of(options).of("tensorflow") == runtime


@pytest.mark.parametrize(
    ("adapter", "module"),
    [
        (
            f"[{SAVED_MODELS}] {{ legacy_config {{ }} }}",
            PLATFORM,
        ),
        (f"[{SESSION_BUNDLES}] {{ config {{ }} }}", PLATFORM),
        (f"[{BUNDLE}] {{ }}", PLATFORM),
        (f"[{HASHMAPS}] {{ format: SIMPLE_CSV }}", "model_server.servables.hashmap"),
    ],
)
def test_a_platform_of_any_name_gets_the_class_of_its_adapter(file, adapter, module):
    runtimes = runtimes_of(Options(platform_config_file=file(platform("mine", adapter))))

    made = Platforms(runtimes.common, runtimes.classes, runtimes.named).platform("mine")

    assert type(made).__module__ == module


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            'platform_configs { key: "p" value {} }',
            "platform p: source_adapter_config is missing; known are"
            " tensorflow.serving.HashmapSourceAdapterConfig,"
            " tensorflow.serving.SavedModelBundleSourceAdapterConfig,"
            " tensorflow.serving.SessionBundleConfig,"
            " tensorflow.serving.SessionBundleSourceAdapterConfig",
            id="no adapter",
        ),
        pytest.param(
            platform("p", 'type_url: "a/b.C"'),
            "platform p: source_adapter_config is of an unknown type, b.C; known are"
            " tensorflow.serving.HashmapSourceAdapterConfig,"
            " tensorflow.serving.SavedModelBundleSourceAdapterConfig,"
            " tensorflow.serving.SessionBundleConfig,"
            " tensorflow.serving.SessionBundleSourceAdapterConfig",
            id="an adapter of another server",
        ),
        pytest.param(
            platform("p", "[type.googleapis.com/b.C] {}"),
            "Error parsing text-format tensorflow.serving.PlatformConfigMap:"
            " Type b.C not found in descriptor pool",
            id="an adapter that cannot be read",
        ),
        pytest.param(
            platform("p", f'type_url: "{BUNDLE}" value: "\\377"'),
            "platform p: source_adapter_config is no tensorflow.serving.SessionBundleConfig",
            id="an adapter of garbage",
        ),
        pytest.param(
            saved_models('session_target: "grpc://a:1"'),
            "platform tensorflow: session_target must not be set: this server runs models in its"
            " own process",
            id="another process",
        ),
        pytest.param(
            saved_models('experimental_fixed_input_tensors { name: "a" }'),
            "platform tensorflow: experimental_fixed_input_tensors must not be set: this server"
            " adds no inputs to those of a request",
            id="inputs of its own",
        ),
        pytest.param(
            saved_models("batching_parameters { num_batch_threads { value: 0 } }"),
            "platform tensorflow: batching_parameters: num_batch_threads must be positive; was 0",
            id="bad batching",
        ),
        pytest.param(
            saved_models('session_config { intra_op_parallelism_threads: "2" }'),
            "Error parsing text-format tensorflow.serving.PlatformConfigMap: 1:",
            id="a bad session config",
        ),
    ],
)
def test_a_platform_config_that_cannot_be_is_refused_by_name(file, text, message):
    path = file(text)

    with pytest.raises(InvalidOptions) as raised:
        runtimes_of(Options(platform_config_file=path))

    assert str(raised.value).startswith(f"{path}: {message}")


def test_what_is_left_out_is_told_once(file, caplog):
    bundle = (
        "enable_session_metadata: true session_run_load_threadpool_index { value: 0 }"
        " batching_parameters {}"
    )
    path = file(saved_models(bundle))

    with caplog.at_level(logging.WARNING):
        runtimes_of(Options(platform_config_file=path, tensorflow_session_parallelism=2))

    where = f"{path}: platform tensorflow"
    assert [record.getMessage() for record in caplog.records] == [
        "--tensorflow_session_parallelism is not for platforms of --platform_config_file",
        f"{where}: session_run_load_threadpool_index is accepted, but has no effect",
        f"{where}: enable_session_metadata is accepted, but has no effect",
    ]
