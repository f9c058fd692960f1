"""Which models the flags name, as a ModelServerConfig."""

from tensorflow_serving.config.file_system_storage_path_source_pb2 import (
    FileSystemStoragePathSourceConfig,
)
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from model_server.options.command_line import InvalidOptions
from model_server.options.flags import Options
from model_server.options.text_files import parse_text, read_text_file


def read_model_config(options: Options) -> ModelServerConfig:
    """The models to serve: those of the config file, or the one of --model_base_path.

    Raises InvalidOptions for a file that cannot be read or a text that does not parse.
    """
    config = ModelServerConfig()
    if options.model_config_file:
        read_text_file(options.model_config_file, config)
        if config.HasField("custom_model_config"):
            raise InvalidOptions(
                f"{options.model_config_file}: custom_model_config: ModelServer does not yet"
                " support custom model config."
            )
        return config
    model = config.model_config_list.config.add()
    model.name = options.model_name
    model.base_path = options.model_base_path
    model.model_platform = options.model_platform
    if options.model_version_policy:
        policy = FileSystemStoragePathSourceConfig.ServableVersionPolicy()
        parse_text(options.model_version_policy, policy, "--model_version_policy")
        model.model_version_policy.CopyFrom(policy)
    return config


def reread_model_config(options: Options) -> ModelServerConfig:
    """The models of the config file, which says so if they are none.

    A file that is empty because it is being written must not unload everything. Raises
    InvalidOptions, also for such a file.
    """
    config = read_model_config(options)
    if not config.HasField("model_config_list"):
        raise InvalidOptions(
            f"{options.model_config_file}: says nothing; to serve no model, write"
            " model_config_list {}"
        )
    return config
