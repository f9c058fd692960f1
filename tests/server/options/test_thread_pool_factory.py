"""--thread_pool_factory_config_file: read, although no factory can be registered here."""

import pytest

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options
from model_server.options.thread_pool_factory import check_thread_pool_factory


def options_of(path, text: str) -> Options:
    file = path / "threads.txt"
    file.write_text(text)
    return Options(thread_pool_factory_config_file=str(file))


def test_no_file_or_one_without_a_factory_is_accepted(tmp_path):
    check_thread_pool_factory(Options())
    check_thread_pool_factory(options_of(tmp_path, ""))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            'thread_pool_factory_config { type_url: "type.googleapis.com/a.Factory" }',
            "thread_pool_factory_config: no thread pool factory is registered for a.Factory;"
            " this server runs a request in the thread that received it",
            id="a factory",
        ),
        pytest.param(
            "thread_pool_factory_config {}",
            "thread_pool_factory_config: no thread pool factory is registered for a type without a"
            " name; this server runs a request in the thread that received it",
            id="a factory without a type",
        ),
        pytest.param(
            "thread_pool_factory_config { [type.googleapis.com/a.Factory] {} }",
            "Error parsing text-format tensorflow.serving.ThreadPoolFactoryConfig:"
            " Type a.Factory not found in descriptor pool",
            id="an unknown type",
        ),
    ],
)
def test_a_factory_is_refused_by_name(tmp_path, text, message):
    options = options_of(tmp_path, text)

    with pytest.raises(InvalidOptions) as raised:
        check_thread_pool_factory(options)

    assert str(raised.value) == f"{options.thread_pool_factory_config_file}: {message}"
