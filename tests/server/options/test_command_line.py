"""The command line means what it means to tensorflow_model_server."""

import contextlib
from dataclasses import fields, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.options.channel_arguments import channel_arguments_of
from model_server.options.checks import check
from model_server.options.command_line import InvalidOptions, parse, usage, without_effect
from model_server.options.flags import Options
from model_server.options.model_config import read_model_config
from model_server.options.platforms import platforms_of

BASE = "--model_base_path=/models/m"
NAMES = st.sampled_from([flag.name for flag in fields(Options)])
VALUES = st.one_of(
    st.text(),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(
        ["true", "False", "1e3", "/m", "a=1", "a=m:C", "all {}", "specific { versions: 1 }"]
    ),
)


def test_nothing_typed_leaves_the_defaults():
    assert parse([]).options == Options()


@pytest.mark.parametrize(
    ("argument", "name", "value"),
    [
        ("--port=9000", "port", 9000),
        ("--rest_api_port=0", "rest_api_port", 0),
        ("--enable_batching", "enable_batching", True),
        ("--enable_batching=true", "enable_batching", True),
        ("--enable_batching=1", "enable_batching", True),
        ("--enable_profiler=false", "enable_profiler", False),
        ("--enable_profiler=0", "enable_profiler", False),
        ("--model_name=a=b", "model_name", "a=b"),
        ("--model_name=", "model_name", ""),
        ("--per_process_gpu_memory_fraction=0.5", "per_process_gpu_memory_fraction", 0.5),
        ("--load_retry_interval_micros=-1", "load_retry_interval_micros", -1),
        ("--load_retry_interval_micros=3000000000", "load_retry_interval_micros", 3_000_000_000),
    ],
)
def test_a_flag_sets_its_option(argument, name, value):
    assert getattr(parse([argument]).options, name) == value


def test_the_last_of_equal_flags_counts():
    assert parse(["--port=1", "--port=2"]).options.port == 2


@pytest.mark.parametrize(
    "argument",
    ["--prot=1", "port=1", "-port=1", "--port", "extra", "--", ""],
)
def test_what_is_no_flag_is_told_and_does_not_stop_the_start(argument):
    line = parse([argument, BASE])

    assert line.unknown == (argument,)
    assert line.options.model_base_path == "/models/m"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--port=x", '--port must be an integer, not "x"'),
        ("--port=2147483648", '--port must be an integer, not "2147483648"'),
        ("--port=", '--port must be an integer, not ""'),
        ("--port=8_500", '--port must be an integer, not "8_500"'),
        ("--port=\u0661", '--port must be an integer, not "\u0661"'),
        ("--port=8500 ", '--port must be an integer, not "8500 "'),
        ("--port=" + "9" * 5000, '--port must be an integer, not "' + "9" * 5000 + '"'),
        (
            "--per_process_gpu_memory_fraction=0_5",
            '--per_process_gpu_memory_fraction must be a number, not "0_5"',
        ),
        ("--enable_batching=", '--enable_batching must be true or false, not ""'),
        ("--enable_batching=yes", '--enable_batching must be true or false, not "yes"'),
        (
            "--per_process_gpu_memory_fraction=half",
            '--per_process_gpu_memory_fraction must be a number, not "half"',
        ),
    ],
)
def test_a_value_that_does_not_fit_names_the_flag(argument, message):
    with pytest.raises(InvalidOptions) as raised:
        parse([argument])

    assert str(raised.value) == message


def test_usage_lists_every_flag_with_its_type():
    text = usage("model-server")

    assert all(f"--{name}=" in text for name in vars(Options()))
    assert ["--load_retry_interval_micros=60000000", "int64"] in [
        line.split()[:2] for line in text.splitlines()
    ]


@settings(max_examples=60)
@given(st.lists(st.one_of(st.text(), st.builds("--{}={}".format, NAMES, VALUES)), max_size=8))
def test_whatever_is_typed_is_read_or_refused(arguments):
    with contextlib.suppress(InvalidOptions):
        line = parse(arguments)
        check(line.options)
        channel_arguments_of(line.options.grpc_channel_arguments)
        platforms_of(line.options)
        read_model_config(replace(line.options, model_config_file=""))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [BASE, "--port=0"],
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must be"
            " set.",
        ),
        ([BASE, "--port=65536"], "--port must be 65535 or less, not 65536"),
        ([BASE, "--rest_api_port=-1"], "--rest_api_port must be 0 or more, not -1"),
        (
            [BASE, "--rest_api_max_body_bytes=0"],
            "--rest_api_max_body_bytes must be 1 or more, not 0",
        ),
        (
            [BASE, "--model_memory_limit_bytes=-1"],
            "--model_memory_limit_bytes must be 0 or more, not -1",
        ),
        (
            [BASE, "--tensorflow_intra_op_parallelism=2147483647"],
            "--tensorflow_intra_op_parallelism must be 4096 or less, not 2147483647",
        ),
        (
            [BASE, "--use_alts_credentials", "--ssl_config_file=x"],
            "Either use_alts_credentials must be false or ssl_config_file must be empty.",
        ),
        (
            [],
            "Both server_options.model_base_path and server_options.model_config_file are empty!",
        ),
        (
            [BASE, "--batching_parameters_file=x"],
            "server_options.batching_parameters_file is set without setting"
            " server_options.enable_batching to true.",
        ),
        (
            [BASE, "--batching_parameters=max_batch_size { value: 4 }"],
            "--batching_parameters goes with --enable_batching only.",
        ),
        (
            [
                BASE,
                "--enable_batching",
                "--batching_parameters=max_batch_size { value: 4 }",
                "--batching_parameters_file=x",
            ],
            "Either --batching_parameters or --batching_parameters_file must be empty.",
        ),
        (
            [
                BASE,
                "--tensorflow_session_parallelism=1",
                "--tensorflow_intra_op_parallelism=1",
                "--tensorflow_inter_op_parallelism=1",
            ],
            "Either configure server_options.tensorflow_session_parallelism or"
            " (server_options.tensorflow_intra_op_parallelism,"
            " server_options.tensorflow_inter_op_parallelism) separately. You cannot configure"
            " all.",
        ),
        (
            [BASE, "--per_process_gpu_memory_fraction=-0.1"],
            "--per_process_gpu_memory_fraction must be 0 or more, not -0.1",
        ),
        (
            [BASE, "--per_process_gpu_memory_fraction=nan"],
            "--per_process_gpu_memory_fraction must be finite",
        ),
        (
            ["--model_config_file=x", "--model_version_policy=all {}"],
            "--model_version_policy goes with --model_base_path only; in a config file,"
            " model_version_policy is a field of each model.",
        ),
    ],
)
def test_flags_that_contradict_each_other_are_refused(arguments, message):
    with pytest.raises(InvalidOptions) as raised:
        check(parse(arguments).options)

    assert str(raised.value) == message


def test_flags_that_can_mean_nothing_here_are_known():
    options = parse(["--skip_initialize_tpu", "--port=1"]).options

    assert without_effect(options) == ["skip_initialize_tpu"]


@pytest.mark.parametrize(
    "arguments",
    [
        [BASE],
        [BASE, "--port=0", "--grpc_socket_path=/run/s"],
        ["--model_config_file=x"],
        [BASE, "--tensorflow_intra_op_parallelism=1", "--tensorflow_inter_op_parallelism=1"],
        [BASE, "--batching_parameters_file=x", "--platform_config_file=y"],
    ],
)
def test_flags_that_agree_are_accepted(arguments):
    check(parse(arguments).options)


def test_a_base_path_is_one_model():
    options = Options(
        model_name="m",
        model_base_path="/models/m",
        model_version_policy="specific { versions: 2 versions: 5 }",
    )

    (model,) = read_model_config(options).model_config_list.config

    assert (model.name, model.base_path, model.model_platform) == ("m", "/models/m", "tensorflow")
    assert list(model.model_version_policy.specific.versions) == [2, 5]


def test_a_config_file_lists_the_models(tmp_path):
    file = tmp_path / "models.config"
    file.write_text('model_config_list { config { name: "a" } config { name: "b" } }')

    config = read_model_config(Options(model_config_file=str(file), model_base_path="/ignored"))

    assert [model.name for model in config.model_config_list.config] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            b"improper",
            "Error parsing text-format tensorflow.serving.ModelServerConfig: 1:1 :",
        ),
        (b"\xff", "not a text file"),
        (None, "No such file or directory"),
    ],
    ids=["no proto", "no text", "no file"],
)
def test_a_config_file_that_cannot_be_read_says_why(tmp_path, text, message):
    file = tmp_path / "models.config"
    if text is not None:
        file.write_bytes(text)

    with pytest.raises(InvalidOptions) as raised:
        read_model_config(Options(model_config_file=str(file)))

    assert str(raised.value).startswith(str(file))
    assert message in str(raised.value)


def test_a_policy_that_does_not_parse_says_where():
    options = Options(model_base_path="/m", model_version_policy="newest {}")

    with pytest.raises(InvalidOptions, match="--model_version_policy: Error parsing text-format"):
        read_model_config(options)
