"""A bad file is refused by name, whichever flag names it, and never ends in anything else."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options
from model_server.options.model_config import read_model_config
from model_server.options.monitoring import prometheus_path
from model_server.options.thread_pool_factory import check_thread_pool_factory
from model_server.options.tls import tls_of
from model_server.servables.runtimes import runtimes_of

READERS = {
    "tensorflow.serving.ModelServerConfig": lambda path: read_model_config(
        Options(model_config_file=path)
    ),
    "tensorflow.serving.BatchingParameters": lambda path: runtimes_of(
        Options(enable_batching=True, batching_parameters_file=path)
    ),
    "tensorflow.ConfigProto": lambda path: runtimes_of(
        Options(tensorflow_session_config_file=path)
    ),
    "tensorflow.serving.PlatformConfigMap": lambda path: runtimes_of(
        Options(platform_config_file=path)
    ),
    "tensorflow.serving.ThreadPoolFactoryConfig": lambda path: check_thread_pool_factory(
        Options(thread_pool_factory_config_file=path)
    ),
    "tensorflow.serving.MonitoringConfig": lambda path: prometheus_path(
        Options(monitoring_config_file=path)
    ),
    "tensorflow.serving.SSLConfig": tls_of,
}
# Those whose text may be told.
OPEN = [name for name in READERS if name != "tensorflow.serving.SSLConfig"]
# Words that make a parser go further than random ones.
WORDS = st.one_of(
    st.sampled_from("{}[]<>:;#\"'\\\0"),
    st.sampled_from(["1e999", "-1", "nan", "value", "key", "enable", "server_key", "config"]),
    st.sampled_from(["model_config_list", "max_batch_size", "prometheus_config"]),
    st.sampled_from(["platform_configs", "source_adapter_config", "session_inter_op_thread_pool"]),
    st.just("type.googleapis.com/tensorflow.serving.SessionBundleConfig"),
)


def refusal(name: str, path: str) -> str:
    with pytest.raises(InvalidOptions) as raised:
        READERS[name](path)
    return str(raised.value)


@pytest.mark.parametrize("name", READERS)
def test_no_file_a_folder_and_a_path_that_cannot_be_are_named(name, tmp_path):
    missing = str(tmp_path / "none")

    assert refusal(name, missing) == f"{missing}: No such file or directory"
    assert refusal(name, str(tmp_path)) == f"{tmp_path}: Is a directory"
    assert refusal(name, "a\0b") == "a\0b: embedded null byte"


@pytest.mark.parametrize("name", READERS)
def test_binary_garbage_is_no_text(name, tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"ok\x80\x00\xff")

    assert refusal(name, str(file)) == f"{file}: not a text file (byte 2: invalid start byte)"


@pytest.mark.parametrize("name", READERS)
def test_a_file_without_an_end_is_not_read_to_it(name):
    assert refusal(name, "/dev/zero") == (
        "/dev/zero: larger than 16777216 bytes, which no configuration is"
    )


@pytest.mark.parametrize("name", OPEN)
def test_an_unknown_field_is_named_with_its_place(name, tmp_path):
    file = tmp_path / "file"
    file.write_text("\n  no_such_field: 1")

    assert refusal(name, str(file)) == (
        f'{file}: Error parsing text-format {name}: 2:3 : Message type "{name}" has no field named'
        ' "no_such_field".'
    )


def test_a_line_without_an_end_is_told_cut(tmp_path):
    file = tmp_path / "file"
    file.write_text("model_config_list 1" + " " * 100_000)

    told = refusal("tensorflow.serving.ModelServerConfig", str(file))

    assert told.startswith(
        f"{file}: Error parsing text-format tensorflow.serving.ModelServerConfig"
    )
    assert told.endswith("...")
    assert len(told) < 2000


def test_messages_nested_without_an_end_are_refused(tmp_path):
    file = tmp_path / "file"
    any_in_any = "[type.googleapis.com/google.protobuf.Any] {"
    file.write_text("custom_model_config {" + any_in_any * 5000 + "}" * 5001)

    assert refusal("tensorflow.serving.ModelServerConfig", str(file)) == (
        f"{file}: Error parsing text-format tensorflow.serving.ModelServerConfig:"
        " messages are nested too deeply"
    )


def test_a_custom_configuration_is_refused(tmp_path):
    file = tmp_path / "file"
    file.write_text("custom_model_config {}")

    assert refusal("tensorflow.serving.ModelServerConfig", str(file)) == (
        f"{file}: custom_model_config: ModelServer does not yet support custom model config."
    )


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60)
@given(content=st.one_of(st.binary(max_size=60), st.lists(WORDS, max_size=25).map(" ".join)))
def test_whatever_a_file_holds_it_is_read_or_refused(name, content, tmp_path_factory):
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with contextlib.suppress(InvalidOptions):
        READERS[name](str(file))
