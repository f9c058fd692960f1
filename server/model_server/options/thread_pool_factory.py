"""Threads that a plug-in of TensorFlow Serving would lend to a request; this server has no such."""

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options
from model_server.options.messages import ThreadPoolFactoryConfig
from model_server.options.text_files import read_text_file


def check_thread_pool_factory(options: Options) -> None:
    """Raises InvalidOptions if --thread_pool_factory_config_file does not parse or names one."""
    path = options.thread_pool_factory_config_file
    if not path:
        return
    config = ThreadPoolFactoryConfig()
    read_text_file(path, config)
    if config.HasField("thread_pool_factory_config"):
        name = config.thread_pool_factory_config.TypeName() or "a type without a name"
        raise InvalidOptions(
            f"{path}: thread_pool_factory_config: no thread pool factory is registered for {name};"
            " this server runs a request in the thread that received it"
        )
